//! Who has which slots, by what nodes say: whoever most of the primaries say, and who says so itself.
//!
//! An isolated old primary goes on saying that its slots are its own, and nobody else does.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_core::{Host, SLOTS, Slots, View};

/// What a look at the cluster has come to.
#[derive(Default)]
pub(super) struct Tally {
    /// Whether most of the primaries have answered.
    pub(super) is_enough: bool,
    /// By their names, all to whom most give slots.
    pub(super) primaries: BTreeMap<String, Primary>,
}

/// A primary, as most see it.
#[derive(Default)]
pub(super) struct Primary {
    /// Wherever it was reached and said itself that it is one.
    pub(super) reached: Vec<Host>,
    /// The slots that most say are its own; of one that was reached, only those that it claims.
    pub(super) slots: Slots,
}

impl Tally {
    /// Counts what was said, by where it was said.
    pub(super) fn of(views: &[(Host, View)]) -> Self {
        let (known, heard) = (known(views), voters(views));
        let enough = known.len() / 2 + 1;
        let mut tally = Self { is_enough: heard.len() >= enough, ..Self::default() };
        for id in known {
            let votes = heard.values().filter_map(|views| claimed(&views.first()?.1, id));
            let mut slots = agreed(votes, enough);
            let own = heard.get(id).map_or(&[][..], Vec::as_slice);
            for claim in own.iter().filter_map(|(_, view)| claimed(view, id)) {
                slots = slots.also_in(claim);
            }
            if !slots.is_empty() {
                let reached = own.iter().map(|(host, _)| host.clone()).collect();
                tally.primaries.insert(id.to_owned(), Primary { reached, slots });
            }
        }
        tally
    }
}

/// Every primary with slots that anybody knows. One that lost its slots unheard is among them, so that
/// those who are cut off never think that they are most.
fn known(views: &[(Host, View)]) -> BTreeSet<&str> {
    let nodes = views.iter().flat_map(|(_, view)| &view.nodes);
    let primaries = nodes.filter(|it| it.is_primary && !it.claim.slots.is_empty());
    primaries.map(|it| it.id.as_str()).collect()
}

/// Those of them that have answered, and what each said, wherever it was reached.
fn voters(views: &[(Host, View)]) -> BTreeMap<&str, Vec<&(Host, View)>> {
    let mut voters = BTreeMap::<_, Vec<_>>::new();
    for said in views {
        let speaker = said.1.speaker().filter(|it| it.is_primary && !it.claim.slots.is_empty());
        if let Some(speaker) = speaker {
            voters.entry(speaker.id.as_str()).or_default().push(said);
        }
    }
    voters
}

/// What this node is said to have there.
fn claimed<'v>(view: &'v View, id: &str) -> Option<&'v Slots> {
    let node = view.nodes.iter().find(|it| it.id == id && it.is_primary)?;
    Some(&node.claim.slots)
}

/// The slots that so many of them have.
fn agreed<'v>(votes: impl Iterator<Item = &'v Slots>, enough: usize) -> Slots {
    // Most of the time all say the same.
    let mut alike: Vec<(&Slots, usize)> = Vec::new();
    for slots in votes {
        match alike.iter_mut().find(|(it, _)| *it == slots) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => alike.push((slots, 1)),
        }
    }
    match alike.as_slice() {
        [(slots, count)] if *count >= enough => (*slots).clone(),
        [] | [_] => Slots::default(),
        several => {
            let mut agreed = Slots::default();
            for slot in 0..SLOTS {
                let has = several.iter().filter(|(slots, _)| slots.has(slot));
                if has.map(|(_, count)| count).sum::<usize>() >= enough {
                    agreed.add(slot);
                }
            }
            agreed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a node says: of each its name, its slots, and itself first.
    fn view(nodes: &[(&str, &str)]) -> (Host, View) {
        let lines = nodes.iter().enumerate().map(|(place, (id, slots))| {
            let flags = if place == 0 { "myself,master" } else { "master" };
            format!("{id} {id}:1@2 {flags} - 0 0 1 connected {slots}\n")
        });
        let there = Host { name: nodes[0].0.to_owned(), port: 1 };
        let view = View::read(&lines.collect::<String>(), &there, false);
        (there, view)
    }

    fn found(views: &[(Host, View)]) -> Vec<(String, String, bool)> {
        let primaries = Tally::of(views).primaries.into_iter();
        let shown = primaries.map(|(id, it)| (id, it.slots.to_string(), !it.reached.is_empty()));
        shown.collect()
    }

    fn is(id: &str, slots: &str, is_reached: bool) -> (String, String, bool) {
        (id.to_owned(), slots.to_owned(), is_reached)
    }

    #[test]
    fn most_primaries_and_the_owner_itself_say_who_has_a_slot() {
        let (a, b, c) = (("a", "0-9"), ("b", "10-19"), ("c", "20-29"));
        let all = [view(&[a, b, c]), view(&[b, a, c]), view(&[c, a, b])];
        let whole = [is("a", "0-9", true), is("b", "10-19", true), is("c", "20-29", true)];
        assert_eq!(found(&all), whole);
        // One that is silent is still known, and not reached.
        assert_eq!(found(&all[1..])[0], is("a", "0-9", false));
        assert!(Tally::of(&all[1..]).is_enough);
        // One alone is believed in nothing.
        assert!(found(&all[..1]).is_empty() && !Tally::of(&all[..1]).is_enough);
    }

    #[test]
    fn an_isolated_old_primary_does_not_have_what_most_give_to_another() {
        let (b, c) = (("b", "10-19"), ("c", "20-29"));
        let old = view(&[("a", "0-9"), b, c]);
        let new =
            [view(&[("z", "0-9"), b, c]), view(&[b, ("z", "0-9"), c]), view(&[c, ("z", "0-9"), b])];
        let [first, second, third] = new;
        let found = found(&[old, first, second, third]);
        assert_eq!(found, [is("b", "10-19", true), is("c", "20-29", true), is("z", "0-9", true)]);
    }

    #[test]
    fn a_slot_is_nobodys_until_most_have_heard_and_its_new_owner_knows() {
        let c = ("c", "20-29");
        let (before, after) = ([("a", "0-9"), ("b", "10-19")], [("a", "0-8"), ("b", "9-19")]);
        let target = view(&[after[1], after[0], c]);
        let heard = view(&[c, after[0], after[1]]);
        let source = view(&[before[0], before[1], c]);
        let slots = |views: &[(Host, View)]| {
            let tally = Tally::of(views);
            let of = |id: &str| tally.primaries.get(id).map(|it| it.slots.to_string());
            (of("a"), of("b"))
        };
        let all = |one: &str, other: &str| (Some(one.to_owned()), Some(other.to_owned()));
        let unheard = view(&[c, before[0], before[1]]);
        assert_eq!(slots(&[source.clone(), target.clone(), unheard]), all("0-9", "10-19"));
        assert_eq!(slots(&[source, target, heard.clone()]), all("0-8", "9-19"));
        // Most have heard, and the new owner has not.
        let late = view(&[before[1], before[0], c]);
        let gone = view(&[after[0], after[1], c]);
        assert_eq!(slots(&[gone, late, heard]), all("0-8", "10-19"));
    }

    #[test]
    fn who_was_reached_in_two_ways_has_one_voice() {
        let nodes = [("a", "0-9"), ("b", "10-19"), ("c", "20-29")];
        let (there, seen) = view(&nodes);
        let again = (Host { name: "other".to_owned(), port: 1 }, seen.clone());
        let tally = Tally::of(&[(there, seen), again]);
        assert!(!tally.is_enough && tally.primaries.is_empty());
    }
}
