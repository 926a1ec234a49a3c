//! Settings to change after a failure.

/// Settings, as `key=value`, that may avoid a failure.
pub(crate) struct RetryHint {
    /// Half the learning rate.
    pub(crate) rate: String,
    /// Half the batch size, if it is above one.
    pub(crate) batch: Option<String>,
}
