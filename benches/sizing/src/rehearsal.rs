//! What the bench does for real, computed: few users on two cores of which nobody else takes anything.

use std::fmt::Write as _;

use crate::costs::{self, Costs, QUEUE, RETRY_AFTER_S};
use crate::queue::{Bound, Errand, Nanos, Replay, Station, nanos, seconds};
use crate::random::Random;
use crate::replay::{LOGIN, REFRESH};

/// Sessions that are filled into an empty Redis.
pub const SESSIONS: u64 = 100_000;
/// Who come back after everybody was logged out.
pub const VISITORS: usize = 1_500;

/// Mean seconds until they notice.
const NOTICE_S: f64 = 5.0;
/// Mean seconds from then on until they log in.
const RETURN_S: f64 = 10.0;
const SEED: u64 = 11;

/// A row of the results, by the name that it has there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// Seconds.
    Filled,
    /// Seconds.
    Median,
    /// Seconds.
    P99,
    /// Seconds.
    Longest,
    /// A count.
    Refusals,
}

impl Row {
    /// All of them, in order.
    pub const ALL: [Self; 5] =
        [Self::Filled, Self::Median, Self::P99, Self::Longest, Self::Refusals];

    /// Its first cell.
    pub fn name(self) -> String {
        match self {
            Self::Filled => format!("{SESSIONS} sessions filled into an empty Redis"),
            Self::Median => format!("{VISITORS} log in again: half of them take at most"),
            Self::P99 => "99 of 100 of them take at most".to_owned(),
            Self::Longest => "all of them take at most".to_owned(),
            Self::Refusals => "answers 503 to them".to_owned(),
        }
    }

    /// A figure as it is shown.
    pub fn shown(self, figure: f64) -> String {
        if self == Self::Refusals { format!("{figure:.0}") } else { format!("{figure:.1} s") }
    }
}

/// When each notices, and when they want to log in: seconds.
pub fn visits() -> Vec<[f64; 2]> {
    let mut random = Random::new(SEED);
    let visit = |_| {
        let noticed = random.wait(NOTICE_S);
        [noticed, noticed + random.wait(RETURN_S)]
    };
    (0..VISITORS).map(visit).collect()
}

/// What is computed beside what was seen.
pub fn table() -> String {
    let computed = computed(&Costs::measured());
    let mut table = "| what | computed | seen |\n|---|---|---|\n".to_owned();
    for (row, figure) in Row::ALL.into_iter().zip(computed) {
        let seen = costs::seen(&row.name());
        writeln!(table, "| {} | {} | {seen} |", row.name(), row.shown(figure))
            .expect("a string takes text");
    }
    table
}

/// The figures, in the order of the rows.
fn computed(costs: &Costs) -> [f64; 5] {
    let bound = Bound {
        station: 0,
        people: QUEUE as u64,
        delay: Nanos::MAX,
        refusal_core_s: costs.refused_login.core_s[0],
        back_after_s: Some(RETRY_AFTER_S),
    };
    let replay = Replay {
        stations: [(); 3].map(|()| Station::new(1.0, 1)),
        errands: vec![
            Errand { core_s: costs.refused_refresh.core_s, bound: None, short_at: Some(0) },
            Errand { core_s: costs.login.core_s, bound: Some(bound), short_at: None },
        ],
        weight: 1,
        seed: SEED,
    };
    let arrivals: Vec<(Nanos, usize)> = visits()
        .iter()
        .flat_map(|[noticed, back]| [(nanos(*noticed), REFRESH), (nanos(*back), LOGIN)])
        .collect();
    let outcome = replay.run(&arrivals, None);
    let took = outcome.took[LOGIN];
    let [median, p99, longest] = [took.median, took.p99, took.longest].map(seconds);
    let filled = SESSIONS as f64 * costs.filling.in_turn_s();
    [filled, median, p99, longest, outcome.refusals as f64]
}
