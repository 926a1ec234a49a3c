//! Evidence for a kind of data set.

/// Evidence for a kind of data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// No evidence.
    None,
    /// Some evidence, but it is ambiguous or incomplete; the text gives the reason.
    Doubtful(String),
    /// The names of nearly all files and folders fit; the text describes them.
    Names(String),
    /// The data set's own label table exists.
    Table(String),
}
