//! The tables of rooms in `ARCHITECTURE.md`: which there are and what each may use.

use std::collections::BTreeSet;

/// The rooms of one `src`, from the ground up.
pub(super) struct Table {
    rows: Vec<Row>,
}

/// One floor.
struct Row {
    rooms: Vec<String>,
    may_use: Uses,
}

enum Uses {
    Rooms(Vec<String>),
    AllAbove,
    Everything,
}

impl Table {
    /// The table below the heading of this folder, in the section on rooms.
    pub(super) fn of(document: &str, folder: &str) -> Self {
        let section = part(document, "\n## Rooms\n", "\n## ");
        let lines = part(section, &format!("\n### `{folder}`\n"), "\n### ").lines();
        let rows: Vec<Row> = lines.filter(|line| line.starts_with("| `")).map(row).collect();
        assert!(!rows.is_empty(), "ARCHITECTURE.md has no table of the rooms of {folder}");
        Self { rows }
    }

    pub(super) fn rooms(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().flat_map(|row| &row.rooms).map(String::as_str)
    }

    pub(super) fn allows(&self, from: &str, to: &str) -> bool {
        let Some(floor) = self.floor(from) else { return false };
        from == to
            || match &self.rows[floor].may_use {
                Uses::Rooms(rooms) => rooms.iter().any(|room| room == to),
                Uses::AllAbove => self.floor(to).is_some_and(|other| other < floor),
                Uses::Everything => self.floor(to).is_some(),
            }
    }

    /// The rule for a room, in the table's words.
    pub(super) fn rule(&self, room: &str) -> String {
        match self.floor(room).map(|floor| &self.rows[floor].may_use) {
            None => format!("`{room}` is no room of the table"),
            Some(Uses::Everything) => format!("`{room}` may use everything"),
            Some(Uses::AllAbove) => format!("`{room}` may use all above it in the table"),
            Some(Uses::Rooms(rooms)) if rooms.is_empty() => format!("`{room}` may use nothing"),
            Some(Uses::Rooms(rooms)) => format!("`{room}` may use only {}", rooms.join(", ")),
        }
    }

    /// What is wrong with the table itself: rooms that are named twice, or before they are there.
    pub(super) fn faults(&self) -> Vec<String> {
        let (mut faults, mut known) = (Vec::new(), BTreeSet::new());
        for Row { rooms, may_use } in &self.rows {
            let named: &[String] = if let Uses::Rooms(named) = may_use { named } else { &[] };
            let unknown = named.iter().filter(|room| !known.contains(*room));
            let by = rooms.join(", ");
            faults.extend(unknown.map(|room| format!("{by} may use `{room}`, in no row above")));
            let again = rooms.iter().filter(|room| known.contains(*room));
            faults.extend(again.map(|room| format!("`{room}` is in two rows")));
            known.extend(rooms);
        }
        faults
    }

    fn floor(&self, room: &str) -> Option<usize> {
        self.rows.iter().position(|row| row.rooms.iter().any(|other| other == room))
    }
}

fn part<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let Some((_, behind)) = text.split_once(from) else {
        panic!("ARCHITECTURE.md has no line {:?}", from.trim());
    };
    behind.split(to).next().unwrap_or(behind)
}

fn row(line: &str) -> Row {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let [_, rooms, _, may_use, _, _] = cells[..] else { panic!("not four cells: {line}") };
    let may_use = match may_use {
        "nothing" => Uses::Rooms(Vec::new()),
        "all above" => Uses::AllAbove,
        "everything" => Uses::Everything,
        rooms => Uses::Rooms(names(rooms)),
    };
    Row { rooms: names(rooms), may_use }
}

fn names(cell: &str) -> Vec<String> {
    let names: Vec<String> = cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let again: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    assert_eq!(cell, again.join(", "), "names of rooms with a comma between them");
    names
}
