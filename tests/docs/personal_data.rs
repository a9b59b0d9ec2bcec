//! The page on personal data says of every table what is in it.

use std::fs;

use portcullis_tests::workspace;

use crate::pages::service_page;

#[test]
fn f_47_the_page_on_personal_data_names_every_table() {
    let page = service_page("personal-data.md");
    let told: Vec<String> = page.rows("MySQL, ").into_iter().map(|row| row[0].clone()).collect();
    let steps = fs::read_dir(workspace().join("migrations")).unwrap().flatten();
    let steps = steps.map(|step| fs::read_to_string(step.path()).unwrap());
    let mut tables: Vec<String> = steps
        .filter_map(|sql| Some(sql.strip_prefix("create table ")?.split_once(' ')?.0.to_owned()))
        .collect();
    tables.sort();
    assert!(tables.len() > 6, "{tables:?}");
    for table in tables {
        assert!(told.contains(&format!("MySQL, {table}")), "{table} is not among {told:?}");
    }
}
