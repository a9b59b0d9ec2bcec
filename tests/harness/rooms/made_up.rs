//! The rules, on small crates that are made up.

use super::rules::without_room;
use super::table::Table;

const TABLE: &str = "
## Rooms

### `made/up`
| room | holds | may use | must not |
|---|---|---|---|
| `base`, `metrics` | | nothing | |
| `store` | | `base` | |
| `http`, `jobs` | | all above | |
| `main` | | everything | |

## Else
| `other` | | nothing | |
";

#[test]
fn a_file_without_a_room_and_a_room_without_a_file_are_told() {
    let files = ["base.rs", "metrics/x.rs", "http.rs", "main.rs", "jobs.rs", "cork.rs", "other.rs"];
    let found = without_room(&Table::of(TABLE, "made/up"), &files);
    let wanted =
        ["cork.rs: `cork` is no room of the table", "other.rs: `other` is no room of the table"];
    assert_eq!(found, [&wanted[..], &["`store` has no file"]].concat());
}

#[test]
fn a_table_that_names_a_room_twice_or_too_early_is_at_fault() {
    assert!(Table::of(TABLE, "made/up").faults().is_empty());
    let upside_down = TABLE.replace("all above", "`base`, `main`").replace("`store`", "`http`");
    let wanted = ["http, jobs may use `main`, in no row above", "`http` is in two rows"];
    assert_eq!(Table::of(&upside_down, "made/up").faults(), wanted);
}
