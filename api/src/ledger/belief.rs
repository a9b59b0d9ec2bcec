//! What an instance believes of Redis. No I/O, no lock, no clock: each event is a call, so that the
//! checker of the protocol (`tests/protocol`) drives the very rules that the service runs.
//!
//!     line      begins unbelieved; is believed until it ends or is doubted; a line that has been
//!               replaced can be neither believed nor ended any more
//!     user      behind from the commit of a change until the latest delivery has succeeded
//!     answer    Redis is asked about a user only on a believed line, and not while behind

use std::collections::BTreeMap;

/// Names one line of an instance; a later one has another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineId(u64);

/// What is believed of one server. Of two there are two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Belief {
    line: Option<LineId>,
    lines: u64,
    believed: bool,
}

/// About whom no server is believed, whichever it may be: a user may change servers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Behind {
    /// Users whose ledger may lack something, each with the latest delivery to it.
    users: BTreeMap<u64, Option<Delivery>>,
    deliveries: u64,
    /// Whether `users` has everybody for whom something waited when this instance began.
    knows_all_who_wait: bool,
}

/// One attempt to bring a ledger up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Delivery(u64);

/// Why Redis is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Doubt {
    /// There is no line, or nobody has seen that the server lacks nothing.
    Line,
    /// Something may still be on its way to this user's ledger.
    Behind,
}

impl Belief {
    /// The current line, believed or not.
    pub fn line(&self) -> Option<LineId> {
        self.line
    }

    /// A new line is the current one, and not believed yet.
    pub fn begin_line(&mut self) -> LineId {
        self.lines += 1;
        let line = LineId(self.lines);
        self.line = Some(line);
        self.believed = false;
        line
    }

    /// The line is over. False if it was not the current one.
    pub fn end_line(&mut self, line: LineId) -> bool {
        let is_current = self.line == Some(line);
        if is_current {
            self.line = None;
            self.believed = false;
        }
        is_current
    }

    /// Everything has been seen on this line that belief takes. False if that changes nothing.
    pub fn believe(&mut self, line: LineId) -> bool {
        let is_new = self.line == Some(line) && !self.believed;
        self.believed |= is_new;
        is_new
    }

    /// The line stays and is not believed any more. False if it was not.
    pub fn doubt(&mut self) -> bool {
        std::mem::take(&mut self.believed)
    }

    /// Whether the line is believed about users that are not behind.
    pub fn is_believed(&self) -> bool {
        self.believed
    }

    /// The line on which Redis may be asked about this user.
    pub fn about(&self, user_id: u64, behind: &Behind) -> Result<LineId, Doubt> {
        let line = self.line.filter(|_| self.believed).ok_or(Doubt::Line)?;
        if behind.is_behind(user_id) { Err(Doubt::Behind) } else { Ok(line) }
    }
}

impl Behind {
    /// Redis is not believed about these users until a delivery has succeeded that begins after
    /// this: one that is on its way has not read what they are doubted for.
    pub fn doubt_about(&mut self, users: &[u64]) {
        self.users.extend(users.iter().map(|user_id| (*user_id, None)));
    }

    /// Whether Redis may lack something of this user's.
    pub fn is_behind(&self, user_id: u64) -> bool {
        self.users.contains_key(&user_id)
    }

    /// A delivery begins; until it has succeeded Redis is not believed about this user. It brings
    /// everything that waits, or its own change if the user was not behind: what somebody else may have
    /// left is not for this instance to answer for.
    pub fn begin_delivery(&mut self, user_id: u64) -> Delivery {
        self.deliveries += 1;
        let delivery = Delivery(self.deliveries);
        self.users.insert(user_id, Some(delivery));
        delivery
    }

    /// Redis has confirmed everything, unless a later delivery is on its way.
    pub fn delivered(&mut self, user_id: u64, delivery: Delivery) {
        if self.users.get(&user_id) == Some(&Some(delivery)) {
            self.users.remove(&user_id);
        }
    }

    /// Users whose ledger may lack something.
    pub fn behind(&self) -> Vec<u64> {
        self.users.keys().copied().collect()
    }

    /// Whether this instance knows for whom something waits that it has answered for.
    pub fn knows_all_who_wait(&self) -> bool {
        self.knows_all_who_wait
    }

    /// Redis is not believed about anybody for whom something waited when this was asked.
    pub fn note_all_who_wait(&mut self) {
        self.knows_all_who_wait = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn believing() -> (Belief, Behind, LineId) {
        let mut belief = Belief::default();
        let line = belief.begin_line();
        assert!(belief.believe(line));
        (belief, Behind::default(), line)
    }

    #[test]
    fn nothing_is_believed_before_a_line_is() {
        let (mut belief, behind) = (Belief::default(), Behind::default());
        assert_eq!((belief.line(), belief.about(1, &behind)), (None, Err(Doubt::Line)));
        let line = belief.begin_line();
        assert_eq!((belief.line(), belief.about(1, &behind)), (Some(line), Err(Doubt::Line)));
        assert!(belief.believe(line) && belief.is_believed());
        assert!(!belief.believe(line), "believed again");
        assert_eq!(belief.about(1, &behind), Ok(line));
    }

    #[test]
    fn belief_ends_with_the_line_and_with_doubt() {
        let (mut belief, behind, line) = believing();
        assert!(belief.doubt() && !belief.doubt());
        assert_eq!((belief.line(), belief.about(1, &behind)), (Some(line), Err(Doubt::Line)));
        assert!(belief.believe(line) && belief.end_line(line));
        assert_eq!((belief.line(), belief.is_believed()), (None, false));
    }

    #[test]
    fn a_replaced_line_is_neither_believed_nor_ended() {
        let (mut belief, behind, old) = believing();
        let new = belief.begin_line();
        assert!(!belief.is_believed(), "belief went over to a new line");
        assert!(!belief.believe(old) && !belief.is_believed());
        assert!(!belief.end_line(old));
        assert!(belief.believe(new));
        assert_eq!(belief.about(1, &behind), Ok(new));
    }

    #[test]
    fn a_user_is_behind_until_the_latest_delivery_has_succeeded() {
        let (belief, mut behind, line) = believing();
        let (first, second) = (behind.begin_delivery(1), behind.begin_delivery(1));
        assert_eq!(
            (belief.about(1, &behind), belief.about(2, &behind)),
            (Err(Doubt::Behind), Ok(line))
        );
        behind.delivered(1, first);
        assert_eq!((belief.about(1, &behind), behind.behind()), (Err(Doubt::Behind), vec![1]));
        behind.delivered(1, second);
        assert_eq!((belief.about(1, &behind), behind.behind()), (Ok(line), vec![]));
    }

    #[test]
    fn a_doubted_user_waits_for_a_delivery_that_began_afterwards() {
        let (belief, mut behind, line) = believing();
        let before = behind.begin_delivery(2);
        behind.delivered(2, before);
        behind.doubt_about(&[1, 2]);
        behind.delivered(2, before);
        assert_eq!(behind.behind(), [1, 2]);
        let after = behind.begin_delivery(2);
        behind.delivered(2, after);
        assert_eq!(
            (belief.about(1, &behind), belief.about(2, &behind)),
            (Err(Doubt::Behind), Ok(line))
        );
    }

    #[test]
    fn a_delivery_on_its_way_says_nothing_about_a_later_doubt() {
        let (belief, mut behind, line) = believing();
        let early = behind.begin_delivery(1);
        behind.doubt_about(&[1]);
        behind.delivered(1, early);
        assert_eq!(belief.about(1, &behind), Err(Doubt::Behind));
        let late = behind.begin_delivery(1);
        behind.delivered(1, late);
        assert_eq!(belief.about(1, &behind), Ok(line));
    }

    #[test]
    fn who_is_behind_stays_so_on_the_next_line() {
        let (mut belief, mut behind, line) = believing();
        behind.begin_delivery(1);
        belief.end_line(line);
        let next = belief.begin_line();
        belief.believe(next);
        assert_eq!(
            (belief.about(1, &behind), belief.about(2, &behind)),
            (Err(Doubt::Behind), Ok(next))
        );
    }

    #[test]
    fn who_waits_is_unknown_at_first() {
        let mut behind = Behind::default();
        assert!(!behind.knows_all_who_wait());
        behind.note_all_who_wait();
        assert!(behind.knows_all_who_wait());
    }
}
