use std::sync::Arc;

use super::*;

fn token(number: usize) -> Vec<u8> {
    format!("{number:040}").into_bytes()
}

fn never<T>(_: &T) -> bool {
    false
}

#[test]
fn all_bytes_of_a_token_count() {
    let tokens = Tokens::new(100);
    let ends_alike = [vec![b'a'; 40], vec![b'a'; 32]].map(|end| [b"x".as_slice(), &end].concat());
    tokens.keep(&ends_alike[0], 1, never);
    assert_eq!(tokens.find(&ends_alike[0], |it| *it), Some(1));
    for other in [&ends_alike[1][..], b"", b"a", &ends_alike[0][1..], &[b'a'; 41]] {
        assert_eq!(tokens.find(other, |it| *it), None);
    }
    tokens.keep(&ends_alike[0], 2, never);
    assert_eq!((tokens.find(&ends_alike[0], |it| *it), tokens.len()), (Some(2), 1));
    tokens.clear();
    assert_eq!((tokens.find(&ends_alike[0], |it| *it), tokens.len()), (None, 0));
}

#[test]
fn as_many_are_held_as_may_be_and_hardly_any_is_lost_before() {
    for most in [1, 7, 1000, 20_000] {
        let tokens = Tokens::new(most);
        for number in 0..most {
            tokens.keep(&token(number), number, never);
        }
        let held = (0..most).filter(|it| tokens.find(&token(*it), |_| ()).is_some()).count();
        assert!(held > most - most / 50 - 1, "{held} of {most}");
        for number in most..most * 3 {
            tokens.keep(&token(number), number, never);
            assert!(tokens.len() <= most);
            assert_eq!(tokens.find(&token(number), |it| *it), Some(number));
        }
    }
}

/// The table drops them by their marks.
#[test]
fn nothing_is_left_of_what_was_held_once_the_table_is_cleared_or_gone() {
    let (tokens, witness) = (Tokens::new(500), Arc::new(()));
    let fill = || (0..1500).for_each(|it| tokens.keep(&token(it), Arc::clone(&witness), never));
    fill();
    assert_eq!(Arc::strong_count(&witness), 1 + tokens.len());
    tokens.clear();
    assert_eq!(Arc::strong_count(&witness), 1);
    fill();
    drop(tokens);
    assert_eq!(Arc::strong_count(&witness), 1);
}

#[test]
fn what_is_looked_up_outlives_what_is_not_and_the_dead_go_first() {
    let tokens = Tokens::new(1000);
    let is_dead = |number: &usize| number.is_multiple_of(2) && *number < 1000;
    for number in 0..1000 {
        tokens.keep(&token(number), number, never);
    }
    for number in 1000..1400 {
        (1..1000).step_by(2).for_each(|used| {
            let _ = tokens.find(&token(used), |_| ());
        });
        tokens.keep(&token(number), number, is_dead);
    }
    let lives = |it: &usize| tokens.find(&token(*it), |_| ()).is_some();
    let (used, dead) =
        ((1..1000).step_by(2).filter(lives).count(), (0..1000).step_by(2).filter(lives).count());
    assert!(used > 470 && dead < 300, "{used} used and {dead} dead ones are held");
}
