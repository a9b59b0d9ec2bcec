//! A script as the single statements that it consists of.

/// The statements of a script, without the semicolons between them and the comments before them. A
/// semicolon in a text, a name or a comment is none.
pub(super) fn statements(script: &str) -> Vec<&str> {
    let mut statements = Vec::new();
    let (mut from, mut at) = (0, 0);
    while at < script.len() {
        let rest = &script[at..];
        if rest.starts_with(';') {
            statements.push(&script[from..at]);
            from = at + 1;
        }
        at += piece(rest);
    }
    statements.push(&script[from..]);
    statements.into_iter().map(without_comments_before).filter(|it| !it.is_empty()).collect()
}

/// The table that a statement makes, if it makes one.
pub(super) fn made_by(statement: &str) -> Option<&str> {
    let words = statement.split(|letter: char| letter.is_whitespace() || "(`".contains(letter));
    let mut words = words.filter(|word| !word.is_empty());
    let is_next =
        |word: Option<&str>, it: &str| word.is_some_and(|word| word.eq_ignore_ascii_case(it));
    let makes_one = is_next(words.next(), "create") && is_next(words.next(), "table");
    let is_about =
        |word: &&str| ["if", "not", "exists"].iter().any(|it| it.eq_ignore_ascii_case(word));
    words.find(|word| !is_about(word)).filter(|_| makes_one)
}

/// How long the text, name, comment or single letter is with which this begins.
fn piece(rest: &str) -> usize {
    let until = |end: &str, from: usize| {
        rest[from..].find(end).map_or(rest.len(), |found| from + found + end.len())
    };
    match rest.as_bytes() {
        [quote @ (b'\'' | b'"' | b'`'), ..] => quoted(rest, char::from(*quote)),
        [b'-', b'-', b' ' | b'\t' | b'\n', ..] => until("\n", 2),
        [b'#', ..] => until("\n", 1),
        [b'/', b'*', ..] => until("*/", 2),
        _ => rest.chars().next().map_or(1, char::len_utf8),
    }
}

/// How long it is with its quotes. Two quotes in a row are two pieces, which comes to the same.
fn quoted(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        if letter == quote && !is_escaped {
            return at + letter.len_utf8();
        }
        is_escaped = letter == '\\' && quote != '`' && !is_escaped;
    }
    rest.len()
}

fn without_comments_before(statement: &str) -> &str {
    let mut statement = statement.trim();
    // What begins with `/*!` is run by the server.
    while statement.starts_with("-- ")
        || statement.starts_with('#')
        || (statement.starts_with("/*") && !statement.starts_with("/*!"))
    {
        statement = statement[piece(statement)..].trim();
    }
    statement
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_semicolon_ends_a_statement_only_where_it_is_one() {
        let script = "-- first; or not\ncreate table a (b int comment 'it''s one; or two');\n\n\
                      /* between; */ alter table `a;b` add c int; # last; \n\
                      insert into a values ('\\';', \"x;\"); \n";
        assert_eq!(
            statements(script),
            [
                "create table a (b int comment 'it''s one; or two')",
                "alter table `a;b` add c int",
                "insert into a values ('\\';', \"x;\")",
            ]
        );
    }

    #[test]
    fn the_table_that_a_statement_makes_is_read_from_it() {
        assert_eq!(made_by("create table users (\n  id int)"), Some("users"));
        assert_eq!(made_by("CREATE TABLE IF NOT EXISTS `users`(id int)"), Some("users"));
        assert_eq!(made_by("alter table users add column a int"), None);
    }

    #[test]
    fn a_script_without_an_end_is_one_statement() {
        assert_eq!(statements("drop table a"), ["drop table a"]);
        assert_eq!(statements(" ;; \n"), Vec::<&str>::new());
        assert_eq!(statements("select 'é; "), ["select 'é;"]);
    }
}
