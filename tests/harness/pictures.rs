//! The pictures in README.md: small, and told in words.

use std::fs;

use portcullis_tests::workspace;

#[test]
fn every_picture_of_the_readme_is_small_and_told_in_words() {
    let page = fs::read_to_string(workspace().join("README.md")).expect("it is there");
    let pictures: Vec<(&str, &str)> = page
        .split("![")
        .skip(1)
        .map(|rest| {
            let (words, rest) = rest.split_once("](").expect("a picture has a place");
            (words, rest.split_once(')').expect("which ends").0)
        })
        .collect();
    assert!(pictures.len() >= 3, "{pictures:?}");
    for (words, place) in pictures {
        assert!(words.len() > 40, "{place} is told in {words:?}");
        let bytes = fs::metadata(workspace().join(place)).expect("it is there").len();
        assert!(bytes <= 60_000, "{place} has {bytes} bytes");
    }
}
