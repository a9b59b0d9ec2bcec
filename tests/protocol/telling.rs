//! Events in words.

use crate::delivery::Step;
use crate::events::Event;
use crate::server::Command;
use crate::tasks::{Doing, Task};
use crate::truth::Set;
use crate::world::World;

impl World {
    /// What an event is about to do in this world.
    pub(crate) fn tell(&self, event: Event) -> String {
        let primary = self.servers[self.primary].name;
        match event {
            Event::Arrive(id) => self.tell_arrival(id),
            Event::Step(id) => self.tell_step(&self.tasks[&id]),
            Event::Unmarked(id) => {
                let instance = self.tasks[&id].instance;
                format!("instance {instance} loses the transaction that marks what was told")
            }
            Event::Login(instance) => format!("somebody logs in at instance {instance}"),
            Event::EndOne(instance, id) => format!("s{id} is ended at instance {instance}"),
            Event::EndAll(instance) => format!("everything is ended at instance {instance}"),
            Event::Round(instance) => format!("instance {instance}'s worker begins a round"),
            Event::Hydrate(instance) => {
                format!("instance {instance} begins to hydrate server {primary}")
            }
            Event::Repair(instance) => format!("instance {instance} repairs the ledger"),
            Event::MoveMark(instance) => format!("instance {instance} sees the mark"),
            Event::Watch(instance) => {
                format!("instance {instance} sees a server that lacks nothing")
            }
            Event::Connect(instance) => {
                format!("instance {instance} connects to server {primary}")
            }
            Event::Leave(instance) => {
                format!("instance {instance} sees that its server is not to be believed")
            }
            Event::Return(instance) => {
                format!("instance {instance} logs everybody out, for MySQL lacks commits")
            }
            Event::Adopt(instance) => format!("instance {instance} adopts the return"),
            Event::EndEverybody(instance) => {
                format!("everybody's sessions are ended at instance {instance}")
            }
            Event::AskAboutEverybody(instance) => {
                format!("instance {instance} looks at everybody's watermark and tells it")
            }
            Event::Split => format!("another server becomes primary beside {primary}"),
            Event::MoveSlot => format!("the slot leaves server {primary}"),
            Event::Cut(instance) => format!("instance {instance} gives its line up"),
            Event::Die(instance) => format!("instance {instance} dies and starts anew"),
            Event::Switch => {
                format!("server {primary} becomes a replica and the other one primary")
            }
            fault => of_nobody(fault).to_owned(),
        }
    }

    fn tell_arrival(&self, id: u8) -> String {
        let connection = &self.connections[&id];
        let server = self.servers[connection.server].name;
        let of = if connection.is_open { "" } else { ", whose sender has gone" };
        let command = connection.sent.front().map(|it| in_words(&it.1)).unwrap_or_default();
        format!("server {server} takes from connection {id}{of}: {command}")
    }

    fn tell_step(&self, task: &Task) -> String {
        let what = match &task.doing {
            Doing::Commit(written) => format!("commits row {}: {:?}", written.row, written.deed),
            Doing::TellEverybody { heard, .. } => {
                format!("hears of everybody's end: {heard:?}")
            }
            Doing::ReturnLate => "ends everybody's sessions".to_owned(),
            Doing::WriteRepair(_) => "writes its repair down".to_owned(),
            Doing::Believe(_) => "believes its line, but for whom something waits".to_owned(),
            Doing::MoveMark { .. } => "reads the position and sends the mark".to_owned(),
            Doing::Deliver(it) => match &it.step {
                Step::Read if self.line_of(task.instance).is_none() => {
                    "has no line to tell on".to_owned()
                }
                Step::Read => {
                    format!("asks for a token and reads rows {:?}", self.truth.waiting())
                }
                Step::Send { changes, .. } => format!("sends {changes:?}"),
                Step::Hear { .. } => format!("hears {:?}", it.heard),
                Step::Mark { told, .. } => format!("marks rows {told:?} as told"),
            },
            Doing::Hydrate(it) => format!("hydrates: {:?}, having heard {:?}", it.step, it.heard),
        };
        format!("instance {} {what}", task.instance)
    }
}

fn of_nobody(fault: Event) -> &'static str {
    match fault {
        Event::ShortTick => "more than a token's life passes",
        Event::LongTick => "so long passes that endings are forgotten",
        Event::ClockStep => "Redis' wall clock steps back",
        Event::Delete => "the ledger is deleted",
        Event::Flush => "FLUSHALL",
        Event::Save => "the primary's data is saved",
        Event::Restart => "the primary is killed and starts from what was saved",
        Event::Keep => "MySQL is kept as it is",
        Event::GoBack => "MySQL goes back to what was kept",
        Event::Sync => "the replica gets the primary's data",
        _ => "something happens",
    }
}

fn in_words(command: &Command) -> String {
    let names = |sessions: &Set| {
        let names: Vec<String> = sessions.each().map(|id| format!("s{id}")).collect();
        names.join(" ")
    };
    match command {
        Command::Begin(beginning) => format!("CREATE s{}", beginning.session),
        Command::End(sessions) => format!("REVOKE {}", names(sessions)),
        Command::EndUpTo(at) => format!("REVOKEALL AT {at}"),
        Command::Everybody(at) => format!("AUTH.CONFIRM NOTE BEFORE {at}"),
        Command::Mark { to, .. } | Command::Move { to, .. } => format!("SET mark {to:?}"),
        Command::Confirm { to, .. } => format!("AUTH.CONFIRM with mark {to:?}"),
    }
}
