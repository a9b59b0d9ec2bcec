//! What is said of a setting whose value cannot be meant.

/// A setting whose value cannot be meant. It never carries the value of a secret.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: {allowed}")]
pub struct Invalid {
    /// The setting's name.
    pub setting: &'static str,
    /// What it should be instead.
    pub allowed: String,
}

impl Invalid {
    pub(crate) fn new(setting: &'static str, allowed: impl Into<String>) -> Self {
        Self { setting, allowed: allowed.into() }
    }
}
