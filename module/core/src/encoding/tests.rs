//! What is written is read, and what is damaged is an error or another well-formed ledger.

use proptest::prelude::*;

use super::*;

fn blocks(ledger: &Ledger) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    encode(ledger, true, |block| blocks.push(block.to_vec()));
    blocks
}

fn read(blocks: &[Vec<u8>]) -> Result<Ledger, Damage> {
    let mut blocks = blocks.iter();
    decode(VERSION, || blocks.next()).map(|written| written.ledger)
}

fn sample(digests: u64) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.raise_watermark(UnixMs(7));
    for (id, device) in [(b"a".as_slice(), b"phone".as_slice()), (b"bb", b"")] {
        let (created, seen, expires) = (UnixMs(1), UnixMs(300), UnixMs::MAX);
        ledger.put(&Facts { id, device, created, seen, expires, idle_s: 60 });
    }
    for n in 0..digests {
        ledger.revoke(Digest::of(&n.to_le_bytes()), UnixMs(n + 1), UnixMs(0));
    }
    ledger
}

#[test]
fn what_is_written_is_read_whatever_its_size() {
    for digests in [0, 1, 1638, 1639, 5000] {
        let ledger = sample(digests);
        let written = blocks(&ledger);
        assert_eq!(written.len() as u64, digests.div_ceil(1638).max(1));
        assert_eq!(read(&written), Ok(ledger));
    }
}

#[test]
fn whether_the_writer_was_confirmed_is_told_since_version_2() {
    let told = |version, block: &[u8]| {
        let mut blocks = [block].into_iter();
        decode(version, || blocks.next()).map(|written| (written.confirmed, written.ledger))
    };
    let ledger = sample(3);
    for confirmed in [false, true] {
        let mut block = Vec::new();
        encode(&ledger, confirmed, |it| block = it.to_vec());
        assert_eq!(told(2, &block), Ok((confirmed, ledger.clone())));
        assert_eq!(told(1, &block[1..]), Ok((false, ledger.clone())), "it says nothing");
        assert_eq!(told(3, &block), Err(Damage::Newer));
        for flag in 1..8 {
            block[0] |= 1 << flag;
            assert_eq!(told(2, &block), Err(Damage::Newer), "flag {flag}");
            block[0] &= 1;
        }
    }
}

#[test]
fn equal_ledgers_are_written_alike() {
    let mut backwards = Ledger::default();
    for n in (0..5000_u64).rev() {
        backwards.revoke(Digest::of(&n.to_le_bytes()), UnixMs(n + 1), UnixMs(0));
    }
    let mut forwards = Ledger::default();
    for n in 0..5000_u64 {
        forwards.revoke(Digest::of(&n.to_le_bytes()), UnixMs(n + 1), UnixMs(0));
    }
    assert_eq!(blocks(&backwards), blocks(&forwards));
}

#[test]
fn every_truncation_is_noticed() {
    let whole = blocks(&sample(3));
    for length in 0..whole[0].len() {
        let result = read(&[whole[0][..length].to_vec()]);
        assert!(result.is_err(), "{length} bytes");
    }
    assert_eq!(read(&blocks(&sample(1639))[..1]), Err(Damage::Truncated));
    assert_eq!(read(&[]), Err(Damage::Truncated));
}

#[test]
fn what_is_left_over_is_noticed() {
    let mut longer = blocks(&sample(3));
    longer[0].push(0);
    assert!(read(&longer).is_err());
    let mut row_too_many = blocks(&sample(3));
    row_too_many[0].extend([0xff; ROW_BYTES]);
    assert_eq!(read(&row_too_many), Err(Damage::Trailing));
}

#[test]
fn nothing_is_no_ledger() {
    assert_eq!(read(&[vec![0, 0, 0, 0]]), Err(Damage::Empty));
}

#[test]
fn a_count_reserves_no_memory() {
    let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    let sessions = [[0, 0].as_slice(), &most, &[0]].concat();
    assert_eq!(read(&[sessions]), Err(Damage::Truncated));
    let digests = [[0, 0, 0].as_slice(), &most].concat();
    assert_eq!(read(&[digests]), Err(Damage::Truncated));
}

proptest! {
    /// Damage is an error, or it is invisible and makes another well-formed ledger.
    #[test]
    fn a_changed_byte_never_breaks_the_ledger(at in 0_usize..230, bits in 1_u8..) {
        let mut damaged = blocks(&sample(3));
        let place = at % damaged[0].len();
        damaged[0][place] ^= bits;
        if let Ok(ledger) = read(&damaged) {
            prop_assert_eq!(read(&blocks(&ledger)), Ok(ledger));
        }
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(ledger) = read(&[bytes]) {
            prop_assert_eq!(read(&blocks(&ledger)), Ok(ledger));
        }
    }
}
