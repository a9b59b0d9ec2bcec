//! Secrets as types: what is handed out once and kept only as a digest.
//!
//! None of these types can be printed. The way out is `expose`, so that a search for it finds
//! every place where a secret leaves.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use portcullis_core::Digest;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer};
use sha2::Sha256;
use utoipa::ToSchema;

use super::place::Place;
use crate::base::random::{Random, is_base64_of_32_bytes};

/// Earlier systems gave out 256 to 1024 random bits as hex digits. Such a token is spent by its
/// first use; what follows it is spelled in our way.
fn is_imported(text: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (64..=256).contains(&text.len()) && text.bytes().all(is_digit)
}

/// A refresh token as its holder knows it: `prt_`, its place and a code that proves it. Those of the
/// earlier form are `prt_` and 256 random bits, or what an imported session has.
pub struct RefreshToken(SecretString);

impl RefreshToken {
    const PREFIX: &str = "prt_";

    /// The first token of a session, in the earlier form.
    #[must_use]
    pub fn random(random: &Random) -> Self {
        Self::spelled(&random.base64::<32>())
    }

    /// The token of a place.
    #[must_use]
    pub fn at(place: Place, key: &RefreshKey) -> Self {
        Self::spelled(&place.spelled(&key.of_places))
    }

    /// Reads a token; anything not exactly of its length and letters is none (BUG-38).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_token = match text.strip_prefix(Self::PREFIX) {
            Some(body) => is_base64_of_32_bytes(body) || Place::is_one(body),
            None => is_imported(text),
        };
        is_token.then(|| Self(text.into()))
    }

    /// Its place, if it has one and this key has proved it.
    #[must_use]
    pub fn place(&self, key: &RefreshKey) -> Option<Place> {
        Place::proved(self.expose().strip_prefix(Self::PREFIX)?, &key.of_places)
    }

    /// The token that follows this one in the earlier form. The same request repeated gets the same
    /// successor.
    #[must_use]
    pub fn successor(&self, key: &RefreshKey) -> Self {
        let mut mac = key.of_successors.clone();
        mac.update(self.expose().as_bytes());
        Self::spelled(&URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    /// What is stored of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.expose().as_bytes())
    }

    /// The token itself, for the answer that hands it out.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    fn spelled(body: &str) -> Self {
        Self([Self::PREFIX, body].concat().into())
    }
}

/// A key that refresh tokens are derived with.
#[derive(Clone)]
pub struct RefreshKey {
    /// Proves the places of tokens.
    of_places: Hmac<Sha256>,
    /// Derives successors in the earlier form.
    of_successors: Hmac<Sha256>,
}

impl RefreshKey {
    /// Derives the key from what the operator set.
    #[must_use]
    pub fn from_secret(secret: &SecretString) -> Self {
        Self {
            of_places: derived(secret, b"portcullis refresh token"),
            of_successors: derived(secret, b"portcullis refresh token successor"),
        }
    }
}

/// A key for one purpose, of no use for any other (HKDF, RFC 5869).
pub(super) fn derived(secret: &SecretString, purpose: &[u8]) -> Hmac<Sha256> {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(None, secret.expose_secret().as_bytes())
        .expand(purpose, &mut key)
        .expect("32 bytes are a length that HKDF-SHA-256 gives");
    Hmac::new_from_slice(&key).expect("HMAC takes keys of any length")
}

/// The key that mailed tokens are derived with.
#[derive(Clone)]
pub struct EmailKey(Hmac<Sha256>);

impl EmailKey {
    /// Derives the key from what the operator set.
    #[must_use]
    pub fn from_secret(secret: &SecretString) -> Self {
        Self(derived(secret, b"portcullis mailed token"))
    }
}

/// The single-use secret in a mailed link: 256 bits that nobody can tell from random ones.
pub struct EmailToken(SecretString);

impl EmailToken {
    /// The token of a mail. It is made anew for each try, so that none has to be kept.
    #[must_use]
    pub fn derived(key: &EmailKey, reference: &[u8]) -> Self {
        let mac = key.0.clone().chain_update(reference).finalize();
        Self(URL_SAFE_NO_PAD.encode(mac.into_bytes()).into())
    }

    /// Reads a token; anything not exactly of its length and letters is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        is_base64_of_32_bytes(text).then(|| Self(text.into()))
    }

    /// What is stored of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.expose().as_bytes())
    }

    /// The token itself, for the mail that carries it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// A password, exactly as typed.
#[derive(Clone, ToSchema)]
#[schema(value_type = String, format = Password, example = "correct horse battery staple")]
pub struct Password(SecretString);

impl Password {
    /// Its length as people count: code points, not bytes.
    #[must_use]
    pub fn code_points(&self) -> usize {
        self.expose().chars().count()
    }

    /// The password itself, for hashing.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for Password {
    fn from(typed: String) -> Self {
        Self(typed.into())
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SecretString::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_is_read_in_its_one_spelling_only() {
        let token = RefreshToken::random(&Random::seeded(1));
        let text = token.expose();
        assert_eq!(RefreshToken::parse(text).unwrap().digest(), token.digest());
        let stranger = format!("{}!", &text[..46]);
        // 32 bytes leave two spare bits in the last letter; set, they would spell the token anew.
        let respelled = format!("{}B", &text[..46]);
        for wrong in
            [&text[4..], &text[..46], &stranger, &respelled, "", "prt_", &format!("{text}=")]
        {
            assert!(RefreshToken::parse(wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn a_token_tells_its_place_to_its_key_alone_and_no_letter_of_it_can_be_changed() {
        let key = RefreshKey::from_secret(&"one".into());
        let place = Place { generation: 0x0102_0304, ..Place::first(&Random::seeded(1)) };
        let token = RefreshToken::at(place, &key);
        let text = token.expose();
        assert_eq!(text.len(), 74);
        assert_eq!(RefreshToken::parse(text).unwrap().place(&key), Some(place));
        assert_eq!(token.place(&RefreshKey::from_secret(&"other".into())), None);
        assert_eq!(RefreshToken::random(&Random::seeded(1)).place(&key), None);
        for at in 4..text.len() {
            let other = if &text[at..=at] == "A" { "Q" } else { "A" };
            let changed = [&text[..at], other, &text[at + 1..]].concat();
            let read = RefreshToken::parse(&changed).and_then(|token| token.place(&key));
            assert_eq!(read, None, "{changed}");
        }
        let next = RefreshToken::at(place.next(), &key);
        assert_eq!(next.place(&key).unwrap().generation, 0x0102_0305);
        assert_ne!(next.digest(), token.digest());
    }

    #[test]
    fn an_imported_refresh_token_is_hex_and_its_successor_is_ours() {
        let hex = "0123456789abcdef".repeat(8);
        let token = RefreshToken::parse(&hex).unwrap();
        assert_eq!(token.digest(), Digest::of(hex.as_bytes()));
        let successor = token.successor(&RefreshKey::from_secret(&"one".into()));
        assert!(successor.expose().starts_with("prt_"));
        for wrong in [&hex[..63], &hex.to_uppercase(), &hex.repeat(3), &format!("{hex}g")] {
            assert!(RefreshToken::parse(wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn a_successor_depends_on_the_token_and_the_key_and_on_nothing_else() {
        let (one, other) =
            (RefreshKey::from_secret(&"one".into()), RefreshKey::from_secret(&"other".into()));
        let random = Random::seeded(1);
        let (token, stranger) = (RefreshToken::random(&random), RefreshToken::random(&random));
        let successor = token.successor(&one);
        assert_eq!(successor.expose(), token.successor(&one).expose());
        assert_ne!(successor.expose(), token.successor(&other).expose());
        assert_ne!(successor.expose(), stranger.successor(&one).expose());
        assert!(RefreshToken::parse(successor.expose()).is_some());
    }

    #[test]
    fn f_29_a_mailed_token_depends_on_its_mail_and_the_key_and_is_read_again() {
        let (one, other) =
            (EmailKey::from_secret(&"one".into()), EmailKey::from_secret(&"other".into()));
        let token = EmailToken::derived(&one, &[1; 16]);
        assert_eq!(token.expose(), EmailToken::derived(&one, &[1; 16]).expose());
        assert_ne!(token.expose(), EmailToken::derived(&one, &[2; 16]).expose());
        assert_ne!(token.expose(), EmailToken::derived(&other, &[1; 16]).expose());
        assert_eq!(EmailToken::parse(token.expose()).unwrap().digest(), token.digest());
    }

    #[test]
    fn r_03_ten_thousand_tokens_are_distinct_and_carry_256_bits() {
        let random = Random::system();
        let tokens: std::collections::HashSet<String> =
            (0..10_000).map(|_| RefreshToken::random(&random).expose().to_owned()).collect();
        assert_eq!(tokens.len(), 10_000);
        assert!(
            tokens.iter().all(|token| URL_SAFE_NO_PAD.decode(&token[4..]).unwrap().len() == 32)
        );
    }

    #[test]
    fn a_password_is_as_long_as_people_count() {
        assert_eq!(Password::from("pässwörd 🦀".to_owned()).code_points(), 10);
    }
}
