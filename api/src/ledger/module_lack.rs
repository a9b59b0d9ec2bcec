//! What is wrong with the module of a server, seen from what `INFO` says.

/// What is wrong with the module of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// It is not loaded.
    Missing,
    /// It knows no fence or keeps no mark, which this service needs.
    TooOld,
}

impl Lack {
    /// What the section `portcullis` of a server's `INFO` says; `None` if all is well.
    pub fn seen_in(info: &str) -> Option<Self> {
        let has = |name: &str| info.lines().any(|line| line.starts_with(name));
        let has_all = has("portcullis_fence_life:") && has("portcullis_mark:");
        match (has("portcullis_version:"), has_all) {
            (_, true) => None,
            (true, false) => Some(Self::TooOld),
            (false, false) => Some(Self::Missing),
        }
    }

    /// What an operator is told.
    pub const fn told(self) -> &'static str {
        match self {
            Self::Missing => {
                "this Redis has not loaded the module: add `loadmodule /usr/local/lib/libportcullis.so` \
                 to its redis.conf and restart it"
            }
            Self::TooOld => {
                "the module of this Redis is too old: replace its libportcullis.so by the one of this \
                 release and restart it"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_36_a_module_that_is_missing_or_too_old_is_told_from_a_good_one() {
        let seen = |module: &str| Lack::seen_in(&format!("# Server\r\nrun_id:abc\r\n{module}"));
        assert_eq!(seen(""), Some(Lack::Missing));
        let old = "# portcullis\r\nportcullis_version:0.0.9\r\nportcullis_confirmed:1\r\n";
        assert_eq!(seen(old), Some(Lack::TooOld));
        let old = format!("{old}portcullis_fence_life:7\r\n");
        assert_eq!(seen(&old), Some(Lack::TooOld));
        assert_eq!(seen(&format!("{old}portcullis_mark:\r\n")), None);
    }
}
