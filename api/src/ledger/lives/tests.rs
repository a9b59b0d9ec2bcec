//! Who is vouched for where; some of it on a real database.

use futures_util::future::join_all;
use portcullis_tests::Database;
use sqlx::MySqlPool;

use super::*;

fn row(run_id: &str, slots: &str, epoch: u64) -> Row {
    let (run_id, ledgers_life) = (run_id.to_owned(), "1".to_owned());
    Row { run_id, ledgers_life, slots: Slots::parse(slots), epoch, vouched_at: Timestamp(1000) }
}

fn of(rows: &[Row], run_id: &str, life: &str, claim: &Claim, is_of_a_cluster: bool) -> Standing {
    let sight = Sight::of(run_id, life);
    Standing::of(Seen { sight: &sight, claim, is_of_a_cluster }.life(), rows)
}

#[test]
fn a_life_whose_place_was_taken_is_told_from_one_that_nobody_knows() {
    let rows = [row("new", "0-16383", 0), row("old", "", 0)];
    let claim = Claim { slots: Slots::all(), ..Claim::default() };
    let of = |run_id, life| of(&rows, run_id, life, &claim, false);
    assert_eq!(of("new", "1").vouched, Slots::all());
    assert!(of("new", "2").is_outdated && !of("new", "1").is_outdated);
    assert!(of("old", "1").is_replaced(&claim));
    for (run_id, life) in [("old", "2"), ("newest", "1")] {
        assert!(!of(run_id, life).is_replaced(&claim), "{run_id} {life}");
        assert_eq!(of(run_id, life).lacking(&claim), Slots::all());
    }
}

#[test]
fn what_a_server_was_told_counts_unless_another_one_has_its_place() {
    let of = |rows: &[(&str, &str)]| {
        Counting(rows.iter().map(|(id, slots)| row(id, slots, 0)).collect())
    };
    assert!(of(&[]).is_told("first", 0), "nobody was ever vouched for");
    let two = of(&[("old", "0-9"), ("new", "10-19")]);
    assert!(two.is_told("old", 9) && !two.is_told("old", 10) && two.is_told("new", 10));
    assert!(!two.is_told("unknown", 10) && two.is_told("unknown", 20));
}

#[test]
fn in_a_cluster_the_newer_claim_has_a_slot() {
    let rows = [row("a", "0-99", 3), row("b", "100-199", 7)];
    let claim = |slots, epoch| Claim { epoch, slots: Slots::parse(slots), ..Claim::default() };
    let old = of(&rows, "a", "1", &claim("0-199", 3), true);
    assert_eq!(
        (old.vouched.to_string(), old.replaced.to_string()),
        ("0-99".into(), "100-199".into())
    );
    let moved = claim("0-199", 8);
    let newer = of(&rows, "a", "1", &moved, true);
    assert_eq!(newer.lacking(&moved).to_string(), "100-199");
    let promoted = claim("100-199", 6);
    assert!(of(&rows, "c", "1", &promoted, true).is_replaced(&promoted));
}

#[test]
fn a_life_had_the_slots_that_it_was_vouched_for_in_long_enough_ago() {
    let rows = [row("a", "0-99", 3), row("b", "100-199", 7)];
    let had = |run_id, slots, before| {
        vouching::had(&rows, run_id, &Slots::parse(slots), Timestamp(before))
    };
    assert!(had("a", "0-99", 1001) && had("a", "7", 1001));
    assert!(!had("a", "0-99", 1000), "it may have been brought up to date just after that instant");
    assert!(!had("a", "0-100", 1001) && !had("c", "0-99", 1001));
}

/// A cluster that begins, or has lost all: its servers are brought up to date side by side.
#[tokio::test]
async fn servers_that_are_vouched_for_at_the_same_time_hinder_nobody() {
    let db = MySqlPool::connect(&Database::shared().migrated_database("vouched")).await.unwrap();
    let shares = ["0-5460", "10923-16383", "5461-10922"];
    let mut lines = Vec::new();
    for _ in shares {
        lines.push(db.acquire().await.unwrap());
    }
    for round in 0..20 {
        // As where nobody was ever vouched for.
        sqlx::query("delete from ledger_lives").execute(&db).await.unwrap();
        let vouching = shares.iter().zip(&mut lines).map(async |(slots, line)| {
            let claim = Claim { epoch: 1, slots: Slots::parse(slots), ..Claim::default() };
            let sight = Sight::of(&format!("{slots} in {round}"), "1");
            let seen = Seen { sight: &sight, claim: &claim, is_of_a_cluster: true };
            vouch(line, seen, (Deed::Replace, &claim.slots), Timestamp(0)).await
        });
        for vouched in join_all(vouching).await {
            assert!(vouched.unwrap());
        }
        let mut had = rows(&db).await.unwrap();
        had.sort_by(|one, other| one.run_id.cmp(&other.run_id));
        let wanted = shares.map(|slots| format!("{slots} in {round}"));
        assert_eq!(had.into_iter().map(|row| row.run_id).collect::<Vec<_>>(), wanted);
    }
}

/// Whoever takes slots over has nobody else's word count there at first, and is vouched for only if that is
/// still so.
#[tokio::test]
async fn whoever_joins_takes_no_place_from_another() {
    let url = Database::shared().migrated_database("joined");
    let mut db = MySqlPool::connect(&url).await.unwrap().acquire().await.unwrap();
    let claim = Claim { epoch: 1, slots: Slots::parse("0-9"), ..Claim::default() };
    let mut change = async |run_id: &str, deed, slots| {
        let sight = Sight::of(run_id, "1");
        let seen = Seen { sight: &sight, claim: &claim, is_of_a_cluster: true };
        let done = vouch(&mut db, seen, (deed, &Slots::parse(slots)), Timestamp(0)).await.unwrap();
        let mut had = rows(&mut *db).await.unwrap();
        had.sort_by(|one, other| one.run_id.cmp(&other.run_id));
        let had: Vec<_> = had.iter().map(|row| format!("{} {}", row.run_id, row.slots)).collect();
        (done, had.join(", "))
    };
    assert_eq!(change("a", Deed::Replace, "0-9").await, (true, "a 0-9".into()));
    assert_eq!(change("b", Deed::Join, "3").await, (false, "a 0-9".into()));
    assert_eq!(change("b", Deed::Withdraw, "3").await, (true, "a 0-2 4-9".into()));
    assert_eq!(change("b", Deed::Join, "3").await, (true, "a 0-2 4-9, b 3".into()));
    assert_eq!(change("a", Deed::Join, "3-4").await, (false, "a 0-2 4-9, b 3".into()));
    assert_eq!(change("a", Deed::Replace, "3").await, (true, "a 0-9, b ".into()));
}
