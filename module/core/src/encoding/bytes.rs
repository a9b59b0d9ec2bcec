//! Reading what is trusted in nothing: every step checks that its bytes are there and in range.

use super::Damage;
use crate::UnixMs;
use crate::session::Facts;

/// What is left of a block.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn take(&mut self, length: u64) -> Result<&'a [u8], Damage> {
        let length = usize::try_from(length).map_err(|_| Damage::Truncated)?;
        let (taken, left) = self.0.split_at_checked(length).ok_or(Damage::Truncated)?;
        self.0 = left;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let (taken, left) = self.0.split_first_chunk().ok_or(Damage::Truncated)?;
        self.0 = left;
        Ok(*taken)
    }

    pub(super) fn varint(&mut self) -> Result<u64, Damage> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            let placed = bits.checked_shl(shift).ok_or(Damage::Range)?;
            if placed >> shift != bits {
                return Err(Damage::Range);
            }
            value |= placed;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Damage::Range)
    }

    pub(super) fn instant(&mut self) -> Result<UnixMs, Damage> {
        in_range(self.varint()?)
    }

    pub(super) fn session(&mut self) -> Result<Facts<'a>, Damage> {
        let id_length = self.varint()?;
        let id = self.take(id_length)?;
        let device_length = self.varint()?;
        let device = self.take(device_length)?;
        let created = self.instant()?;
        let seen = self.instant()?;
        let expires = self.instant()?;
        let idle_s = u32::try_from(self.varint()?).map_err(|_| Damage::Range)?;
        if id.is_empty() {
            return Err(Damage::Range);
        }
        Ok(Facts { id, device, created, seen, expires, idle_s })
    }
}

pub(super) fn in_range(ms: u64) -> Result<UnixMs, Damage> {
    (ms <= UnixMs::MAX.0).then_some(UnixMs(ms)).ok_or(Damage::Range)
}
