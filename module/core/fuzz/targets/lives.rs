//! What may happen to a ledger, in any order and at any time, the clock stepping back included.
//! What was ended stays ended, and the ledger is written and read alike.
#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use portcullis_core::encoding::{VERSION, decode, encode};
use portcullis_core::{Create, Digest, Ledger, Question, TokenRef, UnixMs, Verdict};

#[derive(Arbitrary, Debug)]
struct Step {
    now: u16,
    deed: Deed,
}

#[derive(Arbitrary, Debug)]
enum Deed {
    Create { id: u8, device: Option<Vec<u8>>, ttl: u16, idle_s: Option<u8>, keep: Option<u8> },
    Touch { id: u8, at: Option<u16> },
    End { ids: Vec<u8> },
    LogOut { at: Option<u16>, except: Option<u8> },
    Revoke { token: u8, expires: u16, times: u8 },
    Sweep,
}

fuzz_target!(|steps: Vec<Step>| {
    let mut ledger = Ledger::default();
    for Step { now, deed } in steps {
        happen(&mut ledger, &deed, ms(now));
        ledger.sweep(ms(now));
        let mut written = Vec::new();
        if ledger.expires(Duration::from_millis(500)).is_some() {
            encode(&ledger, true, |block| written.push(block.to_vec()));
            let mut blocks = written.into_iter();
            let read = decode(VERSION, || blocks.next()).map(|read| read.ledger);
            assert_eq!(read.as_ref(), Ok(&ledger));
        }
    }
});

fn happen(ledger: &mut Ledger, deed: &Deed, now: UnixMs) {
    let verdict = |ledger: &Ledger, session: Option<&[u8]>, token: &[u8], issued_ms| {
        let token = TokenRef::Token(token);
        ledger.verdict(&Question { token, session, issued_ms }, now)
    };
    match deed {
        Deed::Create { id, device, ttl, idle_s, keep } => {
            let request = Create {
                id: &[*id],
                device: device.as_deref(),
                created: None,
                seen: None,
                expires: UnixMs(now.0 + 1 + u64::from(*ttl)),
                idle_s: idle_s.map(u32::from),
                keep: keep.map(|keep| usize::from(keep).max(1)),
                limit: 20,
            };
            match ledger.create(&request, now) {
                Ok(created) if created.is_new => {
                    let most = request.keep.unwrap_or(request.limit);
                    assert!(ledger.live_sessions(now).len() <= most);
                }
                Ok(_) | Err(_) => {}
            }
        }
        Deed::Touch { id, at } => {
            ledger.touch_live(&[*id], at.map(ms), now);
        }
        Deed::End { ids } => {
            ledger.end(ids.iter().map(std::slice::from_ref), now);
            for id in ids {
                assert_eq!(verdict(ledger, Some(&[*id]), b"", None), Verdict::NoSession);
            }
        }
        Deed::LogOut { at, except } => {
            let done = ledger.log_out(at.map(ms), except.as_ref().map(std::slice::from_ref), now);
            let stays = |id: &[u8]| except.is_some_and(|except| id == [except]);
            assert!(
                ledger
                    .sessions()
                    .iter()
                    .all(|it| stays(it.id()) || it.facts().created > done.until)
            );
            if except.is_none() && done.until > UnixMs(0) {
                let issued_ms = Some(i64::try_from(done.until.0).unwrap());
                assert_eq!(verdict(ledger, None, b"", issued_ms), Verdict::LoggedOut);
            }
        }
        Deed::Revoke { token, expires, times } => {
            for n in 0..=*times {
                let token = [*token, n];
                ledger.revoke(Digest::of(&token), ms(*expires), now);
                if ms(*expires) > now {
                    assert_eq!(verdict(ledger, None, &token, None), Verdict::Revoked);
                }
            }
        }
        Deed::Sweep => {
            for _ in 0..50 {
                ledger.sweep(now);
            }
        }
    }
}

fn ms(at: u16) -> UnixMs {
    UnixMs(at.into())
}
