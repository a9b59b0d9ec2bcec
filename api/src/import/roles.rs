//! What the names of roles mean here: there are administrators and users. A name that means neither
//! makes nobody an administrator, and is told.

use crate::base::role::Role;

/// As much of a name as is told.
const LONGEST: usize = 40;

/// What somebody may do who has these roles, and the names that are not known here. A text may hold
/// several names, as a list or as JSON.
pub(super) fn read<'a>(texts: impl Iterator<Item = &'a str>) -> (Role, Vec<String>) {
    let (mut role, mut unknown) = (Role::User, Vec::new());
    for name in texts.flat_map(|text| text.split([',', ';', '|'])) {
        let name = name.trim_matches(|c: char| c.is_whitespace() || "[]{}\"'".contains(c));
        let plain = name.to_lowercase();
        match plain.strip_prefix("role_").unwrap_or(&plain) {
            "admin" | "administrator" => role = Role::Admin,
            "" | "user" => {}
            _ => unknown.push(name.chars().take(LONGEST).flat_map(char::escape_debug).collect()),
        }
    }
    unknown.sort_unstable();
    unknown.dedup();
    (role, unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_48_only_the_names_of_administrators_make_one() {
        for (texts, role, unknown) in [
            (&["admin"][..], Role::Admin, &[] as &[&str]),
            (&["user", "Administrator"], Role::Admin, &[]),
            (&["ROLE_ADMIN"], Role::Admin, &[]),
            (&[r#"["user","admin"]"#], Role::Admin, &[]),
            (&["user, vendor"], Role::User, &["vendor"]),
            (
                &["super_admin", "not admin", "vendor", "vendor"],
                Role::User,
                &["not admin", "super_admin", "vendor"],
            ),
            (&["", " "], Role::User, &[]),
            (&["1"], Role::User, &["1"]),
            (&["a\nb"], Role::User, &["a\\nb"]),
        ] {
            let (is, named) = read(texts.iter().copied());
            assert_eq!((is, named.iter().map(String::as_str).collect()), (role, unknown.to_vec()));
        }
    }
}
