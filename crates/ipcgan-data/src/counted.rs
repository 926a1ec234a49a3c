//! Numbers of things, in words.

/// `count` things: `1 face`, `2 faces`.
///
/// # Examples
/// ```
/// assert_eq!(ipcgan_data::counted(1, "identity", "identities"), "1 identity");
/// assert_eq!(ipcgan_data::counted(0, "identity", "identities"), "0 identities");
/// ```
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
