//! Roles that the old system keeps in tables of their own: a table of names, and what links users to
//! them. How they are called is looked up; what has no meaning that could be found is named, not guessed.

use std::collections::{BTreeSet, HashMap};

use sqlx::{AssertSqlSafe, FromRow};

use super::{Old, Roles, plain};
use crate::import::ids::Ids;

/// Where a role's name, a user and a role may stand.
const NAME: [&str; 5] = ["name", "role", "rolename", "title", "slug"];
const USER: [&str; 2] = ["userid", "user"];
const ROLE: [&str; 2] = ["role", "rolename"];
const ROLE_ID: [&str; 3] = ["roleid", "userroleid", "role"];

#[derive(FromRow)]
struct OldRole {
    user_id: u64,
    name: Option<String>,
}

impl Old {
    /// The names of these users' roles, from every table that has some.
    pub(in crate::import) async fn roles(
        &mut self,
        ids: Ids,
    ) -> sqlx::Result<HashMap<u64, Vec<String>>> {
        let mut roles: HashMap<u64, Vec<String>> = HashMap::new();
        for sql in self.roles.queries.clone() {
            let rows: Vec<OldRole> = self.rows(sql, &[ids.first, ids.last]).await?;
            for OldRole { user_id, name } in rows {
                roles.entry(user_id).or_default().extend(name);
            }
        }
        Ok(roles)
    }

    /// Tables that seem to hold roles and were not read: the reason, and how many rows they have.
    pub(in crate::import) async fn unread_roles(&mut self) -> sqlx::Result<Vec<(String, u64)>> {
        let mut unread = Vec::new();
        for (table, why) in self.roles.unread.clone() {
            let sql = format!("select cast(count(*) as unsigned) from `{table}`");
            let rows = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut self.db).await?;
            unread.push((format!("not read: {why}"), rows));
        }
        Ok(unread)
    }

    /// Finds out where roles stand.
    pub(super) fn find_roles(&self) -> Roles {
        let tables: BTreeSet<&str> = self.columns.keys().map(|(table, _)| table.as_str()).collect();
        let tables: Vec<&str> = tables
            .into_iter()
            .filter(|table| *table != self.users && !table.contains('`'))
            .filter(|table| plain(table).contains("role") && !plain(table).contains("perm"))
            .collect();
        let is_of_names = |table: &&&str| ["role", "roles"].contains(&plain(table).as_str());
        let names = tables.iter().find(is_of_names).copied();
        let names = names.and_then(|table| Some((table, self.names_join(table)?)));
        let mut roles = Roles::default();
        self.read_users_column(&mut roles, names.as_ref().map(|(_, join)| join.as_str()));
        for table in tables.iter().filter(|table| Some(**table) != names.as_ref().map(|it| it.0)) {
            match self.link(table, names.as_ref().map(|(_, join)| join.as_str())) {
                Ok(sql) => roles.queries.push(sql),
                Err(why) => roles.unread.push(((*table).to_owned(), why)),
            }
        }
        if let Some((table, _)) = names
            && roles.queries.is_empty()
            && roles.unread.is_empty()
        {
            let why = format!("nothing was found that links users to the table {table}");
            roles.unread.push((table.to_owned(), why));
        }
        roles
    }

    /// Whether the users' own column `role` holds numbers, which are no names.
    pub(in crate::import) fn has_numbers_for_roles(&self) -> bool {
        self.column(&self.users, &ROLE).is_some_and(|(_, kind)| kind.ends_with("int"))
    }

    /// A column of the users that names a role by its number.
    fn read_users_column(&self, roles: &mut Roles, names: Option<&str>) {
        let table = &self.users;
        let Some((column, _)) = self
            .column(table, &ROLE_ID)
            .filter(|(column, kind)| kind.ends_with("int") || plain(column) != "role")
        else {
            return;
        };
        match names {
            Some(names) => roles.queries.push(format!(
                "select cast(l.id as unsigned) as user_id, cast(r.name as char) as name
                   from `{table}` l join {names} r on r.id = l.`{column}`
                  where l.id between ? and ?"
            )),
            None => roles.unread.push((
                table.clone(),
                format!("{table}.{column} is a number, and no table roles says which role that is"),
            )),
        }
    }

    /// Selects from a table that links users to roles, by name or by number.
    fn link(&self, table: &str, names: Option<&str>) -> Result<String, String> {
        let Some((user, _)) = self.column(table, &USER) else {
            return Err(format!("the table {table} has no column user_id"));
        };
        let standing = self.standing(table);
        let select = |name: &str, from: &str| {
            format!(
                "select cast(l.`{user}` as unsigned) as user_id, cast({name} as char) as name
                   from `{table}` l {from} where l.`{user}` between ? and ?{standing}"
            )
        };
        if let Some((role, kind)) = self.column(table, &ROLE)
            && !kind.ends_with("int")
        {
            return Ok(select(&format!("l.`{role}`"), ""));
        }
        match (self.column(table, &ROLE_ID), names) {
            (Some((role, _)), Some(names)) => {
                Ok(select("r.name", &format!("join {names} r on r.id = l.`{role}`")))
            }
            (Some((role, _)), None) => Err(format!(
                "{table}.{role} is a number, and no table roles says which role that is"
            )),
            (None, _) => Err(format!("the table {table} has no column role_id or role")),
        }
    }

    /// A table of names, with numbers and names as they are called here.
    fn names_join(&self, table: &str) -> Option<String> {
        let (id, _) = self.column(table, &["id", "roleid"])?;
        let (name, _) = self.column(table, &NAME)?;
        let standing = self.standing(table);
        Some(format!(
            "(select l.`{id}` as id, l.`{name}` as name from `{table}` l where true{standing})"
        ))
    }

    /// What was taken away, switched off or has run out grants nothing.
    fn standing(&self, table: &str) -> String {
        let column = |names: &[&str]| self.column(table, names);
        let mut standing = String::new();
        if let Some((gone, _)) = column(&["deletedat", "revokedat"]) {
            standing.extend([" and l.`", gone, "` is null"]);
        }
        if let Some((active, _)) = column(&["isactive", "active"]) {
            standing.extend([" and l.`", active, "` <> 0"]);
        }
        if let Some((until, kind)) = column(&["expiresat", "validuntil"]) {
            let until = &*format!("l.`{until}`");
            let now =
                if kind.ends_with("int") { "unix_timestamp() * 1000" } else { "utc_timestamp()" };
            standing.extend([" and (", until, " is null or ", until, " > ", now, ")"]);
        }
        standing
    }
}
