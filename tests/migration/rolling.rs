//! While instances are replaced one by one, the release before works on the database of this one: what
//! it asks can still be asked, and what it writes is still taken.
//!
//! `tests/fixtures/statements-before-….json` has every statement of a release, named by the first migration
//! that it did not know. Whoever makes a release adds its list, and may strike the oldest:
//!
//! ```text
//! jq --slurp 'map({sql: .query, parameters: .describe.parameters.Right, columns: (.describe.columns | length)})' .sqlx/*.json
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use portcullis_tests::{Database, Service, workspace};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor as _, MySqlPool, SqlSafeStr as _, Statement as _};

/// The releases before, each by the first migration that it did not know.
const BEFORE: [u32; 2] = [13, 23];

fn statements(before: u32) -> Vec<Value> {
    let name = format!("tests/fixtures/statements-before-{before:04}.json");
    let text = fs::read_to_string(workspace().join(name)).expect("the statements are kept");
    serde_json::from_str(&text).expect("the list is JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_of_the_releases_before_is_still_understood() {
    let auth = Service::start().await;
    for before in BEFORE {
        let statements = statements(before);
        assert!(statements.len() > 100, "only {} statements", statements.len());
        for statement in statements {
            is_understood(auth.db(), before, &statement).await;
        }
    }
}

async fn is_understood(db: &MySqlPool, before: u32, statement: &Value) {
    let sql = statement["sql"].as_str().expect("a statement");
    let prepared = db.prepare(AssertSqlSafe(sql.to_owned()).into_sql_str()).await;
    let prepared = prepared.unwrap_or_else(|refusal| {
        panic!("the release before {before:04} asks\n{sql}\nwhich is refused: {refusal}")
    });
    assert_eq!(prepared.columns().len() as u64, statement["columns"], "columns of {sql}");
    let parameters = prepared.parameters().map_or(0, |them| them.right().unwrap_or(0));
    assert_eq!(parameters as u64, statement["parameters"], "parameters of {sql}");
}

/// What a column is, as `information_schema` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kind {
    column_type: String,
    is_nullable: bool,
    /// Whether a row may be written without naming it.
    fills_itself: bool,
    is_generated: bool,
}

/// What a row has to obey: columns by table and name, and the sets of columns that must be unique.
struct Tables {
    columns: BTreeMap<(String, String), Kind>,
    unique: Vec<(String, BTreeSet<String>)>,
}

impl Tables {
    async fn of(url: &str) -> Self {
        let db = MySqlPool::connect(url).await.expect("the database is there");
        let columns: Vec<(String, String, String, String, Option<String>, String)> = sqlx::query_as(
            "select cast(table_name as char), cast(column_name as char), cast(column_type as char),
                    cast(is_nullable as char), cast(column_default as char), cast(extra as char)
               from information_schema.columns where table_schema = database()",
        )
        .fetch_all(&db)
        .await
        .expect("columns are listed");
        let unique: Vec<(String, String)> = sqlx::query_as(
            "select cast(table_name as char),
                    cast(group_concat(column_name order by column_name) as char)
               from information_schema.statistics
              where table_schema = database() and not non_unique
              group by table_name, index_name",
        )
        .fetch_all(&db)
        .await
        .expect("keys are listed");
        let columns =
            columns.into_iter().map(|(table, name, column_type, null, default, extra)| {
                let is_generated =
                    extra.to_uppercase().contains("GENERATED") && !extra.contains("DEFAULT_");
                let fills_itself = null == "YES"
                    || default.is_some()
                    || extra.contains("auto_increment")
                    || is_generated;
                let kind =
                    Kind { column_type, is_nullable: null == "YES", fills_itself, is_generated };
                ((table, name), kind)
            });
        let set = |names: String| names.split(',').map(str::to_owned).collect();
        Self {
            columns: columns.collect(),
            unique: unique.into_iter().map(|(table, names)| (table, set(names))).collect(),
        }
    }

    fn has(&self, table: &str) -> bool {
        self.columns.keys().any(|(name, _)| name == table)
    }
}

/// A type is as it was, or an enumeration that may be more.
fn still_takes(new: &str, old: &str) -> bool {
    let values = |text: &str| -> Option<Vec<String>> {
        let inside = text.strip_prefix("enum(")?.strip_suffix(')')?;
        Some(inside.split(',').map(str::to_owned).collect())
    };
    match (values(new), values(old)) {
        (Some(new), Some(old)) => new.starts_with(&old),
        _ => new == old,
    }
}

#[test]
fn what_the_releases_before_write_is_still_taken() {
    let server = Database::shared();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let tables = |name: &str, last| {
        let url = server.migrated_up_to(name, last);
        runtime.block_on(Tables::of(&url))
    };
    let new = tables("rolling", None);
    for before in BEFORE {
        let old = tables(&format!("rolling_{before}"), Some(before - 1));
        assert!(old.columns.len() > 60 && new.columns.len() >= old.columns.len());
        new.take_rows_of(&old);
    }
}

impl Tables {
    /// Holds that rows written for the old tables are taken.
    fn take_rows_of(&self, old: &Self) {
        for (place, before) in &old.columns {
            let now = self.columns.get(place).unwrap_or_else(|| panic!("{place:?} is gone"));
            assert!(
                still_takes(&now.column_type, &before.column_type),
                "{place:?}: {} was {}",
                now.column_type,
                before.column_type
            );
            let may_be_null = now.is_nullable || !before.is_nullable || before.is_generated;
            assert!(may_be_null, "{place:?} takes no null any more");
            assert!(now.fills_itself || !before.fills_itself, "{place:?} has to be named now");
            assert_eq!(now.is_generated, before.is_generated, "{place:?}");
        }
        for ((table, column), kind) in &self.columns {
            let place = (table.clone(), column.clone());
            let is_new = old.has(table) && !old.columns.contains_key(&place);
            let is_taken = !is_new || kind.fills_itself;
            assert!(is_taken, "{table}.{column} has to be named by every insert");
        }
        self.need_no_more_to_be_unique_than(old);
    }

    fn need_no_more_to_be_unique_than(&self, old: &Self) {
        for (table, key) in &self.unique {
            let was_unique = |(before, names): &(String, BTreeSet<String>)| {
                before == table && names.is_subset(key)
            };
            let is_new = |name: &String| !old.columns.contains_key(&(table.clone(), name.clone()));
            let is_fine =
                !old.has(table) || old.unique.iter().any(was_unique) || key.iter().any(is_new);
            assert!(is_fine, "{table}: {key:?} must be unique now, which was no rule");
        }
    }
}
