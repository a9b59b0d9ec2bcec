//! Roles of the old system, wherever it keeps them.

use std::time::Duration;

use portcullis_api::import::Tally;
use portcullis_tests::Service;
use serde_json::json;

use crate::old::{Old, Version};

const ROLES: &str = "create table roles (id int primary key, name varchar(50));
    insert into roles values (1, 'admin'), (2, 'vendor'), (3, 'user');";

/// Three users with the roles of `sql`; then who is an administrator, and the tally.
async fn imported(sql: &str) -> (Vec<u64>, Tally, Service) {
    let (auth, old) = (Service::start().await, Old::new(Version::A));
    for (id, name) in [(1, "root"), (2, "vera"), (3, "carl")] {
        old.user(id, name);
    }
    old.run(sql);
    let tally = old.import(&auth).await;
    (administrators(&auth).await, tally, auth)
}

async fn administrators(auth: &Service) -> Vec<u64> {
    let all = "select id from users where role = 'admin' order by id";
    sqlx::query_scalar(all).fetch_all(auth.db()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn f_48_roles_in_tables_of_their_own_are_read_however_they_are_called() {
    let with_names = [
        "create table user_roles (user_id int, role_id int);
         insert into user_roles values (1, 3), (1, 1), (2, 2), (3, 3)",
        "create table UserRoles (id int auto_increment primary key, UserId int, RoleId int);
         insert into UserRoles (UserId, RoleId) values (1, 1), (2, 2)",
        "create table role_user (role_id int, user_id int);
         insert into role_user values (1, 1), (2, 2)",
        "alter table users add column roleId int; update users set roleId = id",
        "alter table users drop column role, add column role int; update users set role = id",
    ];
    let alone = [
        "create table user_roles (userId int, role varchar(20));
         insert into user_roles values (1, 'Administrator'), (2, 'vendor')",
        "create table Roles (roleId int, roleName varchar(20));
         insert into Roles values (7, 'ROLE_ADMIN'), (8, 'vendor');
         create table users_roles (user_id int, role_id int);
         insert into users_roles values (1, 7), (2, 8)",
        r#"alter table users drop column role, add column roles json;
           update users set roles = '["user", "admin"]' where id = 1;
           update users set roles = '["vendor"]' where id = 2"#,
    ];
    let cases = with_names.map(|sql| format!("{ROLES} {sql}")).into_iter();
    for sql in cases.chain(alone.map(str::to_owned)) {
        let (administrators, tally, auth) = imported(&sql).await;
        assert_eq!(administrators, [1], "{sql}\n{tally}");
        let named = "not known here, treated as user: vendor";
        assert_eq!(tally.of("roles", named), 1, "{sql}\n{tally}");
        assert!(!tally.to_string().contains("not read"), "{sql}\n{tally}");
        let root = auth.logged_in("root").await;
        auth.get_as(&root.access, "/admin/users").await.must_be(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_48_what_was_taken_away_grants_nothing() {
    let sql = format!(
        "{ROLES} insert into roles values (4, 'admin');
         alter table roles add column is_active boolean not null default true;
         update roles set is_active = false where id = 4;
         create table user_roles
           (user_id int, role_id int, deleted_at datetime, expires_at datetime);
         insert into user_roles values
           (1, 1, utc_timestamp(), null),
           (2, 1, null, utc_timestamp() - interval 1 day),
           (3, 4, null, null)"
    );
    let (administrators, tally, _auth) = imported(&sql).await;
    assert_eq!(administrators, [] as [u64; 0], "{tally}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_48_what_seems_to_hold_roles_and_cannot_be_read_is_named() {
    let cases = [
        (
            "create table user_roles (user_id int, role_id int);
             insert into user_roles values (1, 1), (2, 1)",
            "not read: user_roles.role_id is a number, and no table roles says which role that is",
            2,
        ),
        (
            "create table role_members (member int, role_id int);
             insert into role_members values (1, 1)",
            "not read: the table role_members has no column user_id",
            1,
        ),
        (
            "create table user_roles (user_id int, level int); insert into user_roles values (1, 1)",
            "not read: the table user_roles has no column role_id or role",
            1,
        ),
        (
            "create table roles (id int, name varchar(9)); insert into roles values (1, 'admin')",
            "not read: nothing was found that links users to the table roles",
            1,
        ),
        (
            "alter table users add column role_id int",
            "not read: users.role_id is a number, and no table roles says which role that is",
            3,
        ),
        (
            "update users set role = 'super_admin' where id = 1",
            "not known here, treated as user: super_admin",
            1,
        ),
    ];
    for (sql, fate, rows) in cases {
        let (administrators, tally, _auth) = imported(sql).await;
        assert_eq!(tally.of("roles", fate), rows, "{sql}\n{tally}");
        assert_eq!(administrators, [] as [u64; 0], "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_48_a_role_follows_until_its_user_is_changed_here() {
    let (auth, old) = (Service::start().await, Old::new(Version::A));
    old.user(1, "root");
    old.user(2, "vera");
    old.run(&format!(
        "{ROLES} create table user_roles (user_id int, role_id int);
         insert into user_roles values (1, 1), (2, 1)"
    ));
    old.import(&auth).await;
    assert_eq!(administrators(&auth).await, [1, 2]);
    let root = auth.logged_in("root").await;
    old.run("delete from user_roles where user_id = 2");
    let tally = old.import(&auth).await;
    assert_eq!(tally.of("users", "brought up to date"), 1, "{tally}");
    assert_eq!(administrators(&auth).await, [1]);
    // Later than any change in the old system.
    auth.clock.advance(Duration::from_mins(5));
    let path = "/admin/users/2/role";
    auth.post_as(&root.access, path, json!({ "role": "admin" })).await.must_be(200);
    old.import(&auth).await;
    assert_eq!(administrators(&auth).await, [1, 2], "it was changed here");
}
