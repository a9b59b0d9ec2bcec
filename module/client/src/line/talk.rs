//! One connection from its first byte to its last: bytes in, bytes out, and when the next beat is due.

use std::future::ready;
use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, WriteHalf};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until};

use super::ask::{Ask, Waiting};
use super::conversation::Conversation;
use super::{End, Line};
use crate::clock::Moment;
use crate::net::Stream;
use crate::resp;
use crate::shared::{Phase, Shared};

/// Room for what comes next.
const ROOM: usize = 16 * 1024;
/// So many questions are taken in before anything else has its turn.
const TURN: usize = 1024;
/// And so often is read before everything else has its turn, though there is more to read.
const READS: u32 = 16;

impl Line<'_> {
    /// Talks until the connection ends; `was_joined` says whether it was any good.
    pub(super) async fn talk(&mut self, stream: Box<dyn Stream>, was_joined: &mut bool) -> End {
        if !matches!(self.post.phase(), Phase::Doubtful(_)) {
            self.post.enter(Phase::Joining);
        }
        let mut conversation = Conversation::new(self.shared, self.post, &self.login);
        let Self { shared, lease, route, inbox, waiting, .. } = self;
        let mut exchange = Exchange { shared, inbox, waiting };
        let end = tokio::select! {
            end = exchange.run(stream, &mut conversation) => end.err().unwrap_or(End::Unwanted),
            () = route.look_after(lease) => {
                tracing::info!("the primary is elsewhere");
                End::Lost
            }
        };
        *was_joined = conversation.is_joined();
        conversation.put_back(&mut self.waiting);
        end
    }
}

/// What it takes to talk, beside the connection.
struct Exchange<'l> {
    shared: &'l Shared,
    inbox: &'l mut UnboundedReceiver<Ask>,
    waiting: &'l mut Waiting,
}

impl Exchange<'_> {
    async fn run(
        &mut self,
        stream: Box<dyn Stream>,
        conversation: &mut Conversation<'_>,
    ) -> Result<(), End> {
        let options = &self.shared.options;
        let (mut reader, mut writer) = tokio::io::split(stream);
        let (mut input, mut is_flushed) = (Vec::new(), true);
        let mut heard = Moment::now();
        let mut next_beat = heard.plus(options.beat);
        let mut alarm = pin!(sleep_until(Instant::now()));
        let (mut set_for, mut reads) = (Moment::NEVER, 0);
        loop {
            conversation.ask(self.waiting);
            let deadlines = [conversation.first_deadline(), self.waiting.first_deadline()];
            let due = deadlines.into_iter().flatten().fold(next_beat, Moment::min);
            if due != set_for {
                alarm.as_mut().reset(Instant::now() + due.since(Moment::now()));
                set_for = due;
            }
            input.reserve(ROOM);
            // Reading comes first: whoever was stopped for a while must hear what was said meanwhile
            // before it judges how long nothing was said.
            tokio::select! { biased;
                read = reader.read_buf(&mut input), if reads < READS => {
                    if read.map_err(|cause| lost(&cause))? == 0 {
                        return Err(End::Lost);
                    }
                    heard = Moment::now();
                    reads += 1;
                    self.hear(&mut input, conversation)?;
                    continue;
                }
                () = &mut alarm => {
                    set_for = Moment::NEVER;
                    if self.is_beat_due(conversation, heard, next_beat)? {
                        conversation.beat();
                        next_beat = Moment::now().plus(options.beat);
                    }
                }
                sent = send(&mut writer, &conversation.out), if !(is_flushed && conversation.out.is_empty()) => {
                    is_flushed = conversation.out.is_empty();
                    conversation.out.drain(..sent.map_err(|cause| lost(&cause))?);
                }
                ask = self.inbox.recv() => {
                    self.waiting.push(ask.ok_or(End::Unwanted)?);
                    for _ in 0..TURN {
                        let Ok(ask) = self.inbox.try_recv() else { break };
                        self.waiting.push(ask);
                    }
                }
                () = ready(()), if reads >= READS => {}
            }
            reads = 0;
        }
    }

    /// What is to be done when the alarm rings, except for a beat.
    fn is_beat_due(
        &mut self,
        conversation: &mut Conversation<'_>,
        heard: Moment,
        next_beat: Moment,
    ) -> Result<bool, End> {
        let now = Moment::now();
        if now.since(heard) > silence(self.shared.options.lease) {
            tracing::debug!("Redis says nothing");
            return Err(End::Lost);
        }
        // What a rush has needed is given back there, and here.
        self.waiting.expire(now);
        conversation.expire(now);
        conversation.out.shrink_to(ROOM);
        Ok(now >= next_beat)
    }

    /// All that has come whole.
    fn hear(
        &mut self,
        input: &mut Vec<u8>,
        conversation: &mut Conversation<'_>,
    ) -> Result<(), End> {
        let mut rest = input.as_slice();
        while let Some((value, behind)) = resp::read(rest).map_err(|_| End::Lost)? {
            conversation.hear(&value, self.waiting)?;
            rest = behind;
        }
        let read = input.len().saturating_sub(rest.len());
        input.drain(..read);
        Ok(())
    }
}

/// Some of it, and how much; if nothing is left, whatever TLS has kept back.
async fn send(writer: &mut WriteHalf<Box<dyn Stream>>, out: &[u8]) -> io::Result<usize> {
    if out.is_empty() {
        return writer.flush().await.map(|()| 0);
    }
    match writer.write(out).await? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        some => Ok(some),
    }
}

/// Nothing was heard for so long, although beats were sent: the connection is none any more.
fn silence(lease: Duration) -> Duration {
    lease.saturating_mul(4)
}

fn lost(cause: &io::Error) -> End {
    tracing::debug!(%cause, "the connection to Redis broke");
    End::Lost
}
