//! Lists in statements.

/// Places for so many parameters.
pub(crate) fn places(count: usize) -> String {
    vec!["?"; count].join(", ")
}
