//! `api/docs/sizing.md`: what is computed stands between two marks each, the rest is written by people.

use crate::population::Population;
use crate::{costs, rehearsal, tables};

/// The page, with all that is computed computed anew; or which mark it lacks.
pub fn computed(page: &str, people: &Population) -> Result<String, String> {
    let mut page = page.to_owned();
    for (name, text) in blocks(people) {
        let (begin, end) = (format!("<!-- computed: {name} -->\n"), "<!-- end -->\n");
        let lacks = || format!("the page has no {} that {} ends", begin.trim(), end.trim());
        let from = page.find(&begin).ok_or_else(lacks)? + begin.len();
        let to = from + page[from..].find(end).ok_or_else(lacks)?;
        page.replace_range(from..to, &format!("\n{}\n\n", text.trim()));
    }
    Ok(page)
}

/// What is computed, by the name of its mark.
fn blocks(people: &Population) -> [(&'static str, String); 5] {
    [
        ("machine", costs::machine()),
        ("needs", tables::needs(people)),
        ("assumed", tables::assumptions(people)),
        ("replays", tables::replays(people)),
        ("seen", rehearsal::table()),
    ]
}
