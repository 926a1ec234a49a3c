//! Settings to change after a failure.

/// Suggested `--set` overrides after a failure.
pub(crate) struct RetryHint {
    /// Half the learning rate.
    pub(crate) rate: String,
    /// Half the batch size.
    pub(crate) batch: String,
}
