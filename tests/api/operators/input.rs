//! What is read from standard input.

use portcullis_tests::{Database, PASSWORD};
use sqlx::MySqlPool;

use super::{SECRET, portcullis};

const CREATE: [&str; 8] =
    ["user", "create", "--email", "ada@example.com", "--first-name", "Ada", "--last-name", "B"];

#[tokio::test]
async fn f_39_user_create_takes_one_line_and_nothing_else() {
    let database = Database::shared().fresh_database("one_line");
    let settings = [("DATABASE_URL", &*database), ("JWT_SECRET", SECRET)];
    portcullis(&["migrate", "up"], &settings, b"").must_work();
    let create = |input: &str| portcullis(&CREATE, &settings, input.as_bytes());

    create(&format!("{PASSWORD}\n{PASSWORD}\n")).must_be_refused_with("more than one line");
    create(&format!("{PASSWORD}\n\n")).must_be_refused_with("more than one line");
    create("").must_be_refused_with("send exactly one line");
    create("\r\n").must_be_refused_with("send exactly one line");
    let db = MySqlPool::connect(&database).await.unwrap();
    let count = "select count(*) from users";
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&db).await.unwrap(), 0);

    create(&format!("{PASSWORD}\r\n")).must_work();
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&db).await.unwrap(), 1);
}

#[test]
fn f_39_a_variable_with_two_lines_is_no_password_either() {
    let database = Database::shared().fresh_database("two_lines");
    let two = format!("{PASSWORD}\n{PASSWORD}");
    let settings =
        [("DATABASE_URL", &*database), ("JWT_SECRET", SECRET), ("NEW_PASSWORD_GIVEN", &two)];
    portcullis(&["migrate", "up"], &settings[..2], b"").must_work();
    let arguments = [&CREATE[..], &["--password-env", "NEW_PASSWORD_GIVEN"]].concat();
    portcullis(&arguments, &settings, b"").must_be_refused_with("more than one line");
}
