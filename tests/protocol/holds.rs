//! As it was built, nothing dead is ever live again, and everything is well in the end.

use crate::checking::must_hold;
use crate::rules::Rules;
use crate::scenarios::{LARGE, SMALL};

#[test]
fn nothing_dead_comes_back_whatever_happens() {
    for scenario in SMALL {
        must_hold(scenario, Rules::BUILT);
    }
}

#[test]
#[ignore = "takes minutes"]
fn nothing_dead_comes_back_in_larger_worlds() {
    for scenario in LARGE {
        must_hold(scenario, Rules::BUILT);
    }
}
