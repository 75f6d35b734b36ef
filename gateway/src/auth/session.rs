//! Sessions of browsers: a credential sealed into a cookie that pages cannot read. Nothing is kept on the server, so that
//! any replica opens it, and what the credential may do is asked anew each time: a session ends with its key.

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time::Duration as CookieAge},
    http::Method,
};
use rand::RngCore;
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

use crate::error::ApiError;

/// The cookie's name.
const COOKIE: &str = "tenora_session";
/// What a request that changes something must repeat: other sites' pages cannot.
const CSRF_HEADER: &str = "x-csrf-token";
/// How long a session lasts, in seconds.
const SESSION_S: i64 = 12 * 60 * 60;
/// Longest credential that is sealed: keys and the operator's, no JWT.
const MAX_CREDENTIAL_BYTES: usize = 512;
const CSRF_BYTES: usize = 16;
const EXPIRY_BYTES: usize = 8;

/// Seals and opens them.
pub struct Sessions(LessSafeKey);

/// A session.
pub struct Session {
    /// Whose it is, in the credential's own words.
    pub credential: SecretString,
    /// What requests that change something must repeat.
    pub csrf: String,
    /// When it ends.
    pub expires_at: OffsetDateTime,
}

impl Sessions {
    /// Keys are derived from the secret that all replicas share.
    pub fn new(pepper: &SecretString) -> anyhow::Result<Self> {
        let root = hmac::Key::new(hmac::HMAC_SHA256, pepper.expose_secret().as_bytes());
        let key = hmac::sign(&root, b"tenora browser sessions 1");
        let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_ref());
        Ok(Self(LessSafeKey::new(key.map_err(|_| anyhow::anyhow!("the key of sessions has no 32 bytes"))?)))
    }

    /// A session of a credential that was right just now, and its cookie for a browser at this address.
    pub fn begin(
        &self,
        credential: SecretString,
        request: &HttpRequest,
    ) -> Result<(Session, Cookie<'static>), ApiError> {
        let expires_at = OffsetDateTime::now_utc() + time::Duration::seconds(SESSION_S);
        let (mut nonce, mut csrf) = ([0; NONCE_LEN], [0; CSRF_BYTES]);
        rand::rng().fill_bytes(&mut nonce);
        rand::rng().fill_bytes(&mut csrf);
        let mut sealed =
            [&expires_at.unix_timestamp().to_be_bytes()[..], &csrf, credential.expose_secret().as_bytes()]
                .concat();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)
            .map_err(|_| ApiError::internal("a session could not be sealed"))?;
        let value = format!("{}{}", hex::encode(nonce), hex::encode(sealed));
        let cookie = cookie(value, request).max_age(CookieAge::seconds(SESSION_S)).finish();
        Ok((Session { credential, csrf: hex::encode(csrf), expires_at }, cookie))
    }

    /// A cookie that takes a session away.
    pub fn end(request: &HttpRequest) -> Cookie<'static> {
        let mut cookie = cookie(String::new(), request).finish();
        cookie.make_removal();
        cookie
    }

    /// The session that a request's cookie holds; `None` = it has no cookie.
    pub fn of(&self, request: &HttpRequest) -> Result<Option<Session>, ApiError> {
        let Some(cookie) = request.cookie(COOKIE) else { return Ok(None) };
        let session =
            self.open(cookie.value()).filter(|session| OffsetDateTime::now_utc() < session.expires_at);
        session.map(Some).ok_or(ApiError::SessionEnded)
    }

    /// The same, for a request that may change something: it must prove that it is of the dashboard's own page.
    pub fn authorised(&self, request: &HttpRequest) -> Result<Option<Session>, ApiError> {
        let Some(session) = self.of(request)? else { return Ok(None) };
        let looks = matches!(*request.method(), Method::GET | Method::HEAD);
        let told = request.headers().get(CSRF_HEADER).map_or(&b""[..], |value| value.as_bytes());
        match looks || bool::from(told.ct_eq(session.csrf.as_bytes())) {
            true => Ok(Some(session)),
            false => Err(ApiError::CsrfTokenMissing),
        }
    }

    fn open(&self, value: &str) -> Option<Session> {
        let most = NONCE_LEN + EXPIRY_BYTES + CSRF_BYTES + MAX_CREDENTIAL_BYTES + CHACHA20_POLY1305.tag_len();
        let bytes = (value.len() <= 2 * most).then(|| hex::decode(value).ok()).flatten()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self.0.open_in_place(nonce, Aad::empty(), &mut sealed).ok()?;
        let (expiry, rest) = plain.split_first_chunk::<EXPIRY_BYTES>()?;
        let (csrf, credential) = rest.split_first_chunk::<CSRF_BYTES>()?;
        Some(Session {
            credential: std::str::from_utf8(credential).ok()?.into(),
            csrf: hex::encode(csrf),
            expires_at: OffsetDateTime::from_unix_timestamp(i64::from_be_bytes(*expiry)).ok()?,
        })
    }
}

/// What can be sealed: anything that a header could hold, of a length that keys have.
pub fn is_sealable(credential: &str) -> bool {
    (1..=MAX_CREDENTIAL_BYTES).contains(&credential.len())
        && credential.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Strict, unreadable for scripts, and over TLS only, unless the browser is on this machine.
fn cookie(value: String, request: &HttpRequest) -> actix_web::cookie::CookieBuilder<'static> {
    let connection = request.connection_info();
    let host = connection.host();
    let name =
        host.rsplit_once(':').map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
    let here = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    Cookie::build(COOKIE, value).path("/").http_only(true).same_site(SameSite::Strict).secure(!here)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    use super::*;

    fn sessions(pepper: &str) -> Sessions {
        Sessions::new(&pepper.to_owned().into()).expect("a key")
    }

    fn begun(sessions: &Sessions) -> (Session, Cookie<'static>) {
        let request = TestRequest::default().insert_header(("host", "tenora.example")).to_http_request();
        sessions.begin("tk_1.secret".to_owned().into(), &request).expect("sealed")
    }

    #[test]
    fn a_session_opens_for_those_who_share_the_secret_alone() {
        let (session, cookie) = begun(&sessions("one"));
        assert!(!cookie.value().contains("secret") && !cookie.value().contains(&hex::encode("secret")));
        let opened = sessions("one").open(cookie.value()).expect("it is ours");
        assert_eq!(opened.credential.expose_secret(), "tk_1.secret");
        assert_eq!(
            (opened.csrf, opened.expires_at.unix_timestamp()),
            (session.csrf, session.expires_at.unix_timestamp())
        );
        assert!(sessions("another").open(cookie.value()).is_none());
    }

    #[test]
    fn a_cookie_is_strict_and_secure_but_on_this_machine() {
        let (_, cookie) = begun(&sessions("one"));
        let flags = (cookie.http_only(), cookie.same_site(), cookie.secure(), cookie.path());
        assert_eq!(flags, (Some(true), Some(SameSite::Strict), Some(true), Some("/")));
        for (host, secure) in [
            ("localhost:8080", false),
            ("127.0.0.1:8080", false),
            ("[::1]:8080", false),
            ("127.0.0.1.evil.example", true),
            ("localhost.evil.example", true),
        ] {
            let request = TestRequest::default().insert_header(("host", host)).to_http_request();
            let (_, cookie) = sessions("one").begin("x".to_owned().into(), &request).expect("sealed");
            assert_eq!(cookie.secure(), Some(secure), "{host}");
        }
    }

    #[test]
    fn what_changes_something_must_repeat_the_token() {
        let sessions = sessions("one");
        let (session, cookie) = begun(&sessions);
        let ask = |method: Method, token: Option<&str>| {
            let mut request = TestRequest::default().method(method).cookie(cookie.clone());
            if let Some(token) = token {
                request = request.insert_header((CSRF_HEADER, token));
            }
            sessions.authorised(&request.to_http_request())
        };
        assert!(matches!(ask(Method::GET, None), Ok(Some(_))));
        assert!(matches!(ask(Method::POST, Some(&session.csrf)), Ok(Some(_))));
        for token in [None, Some(""), Some("0"), Some(&session.csrf[1..])] {
            assert!(matches!(ask(Method::DELETE, token), Err(ApiError::CsrfTokenMissing)), "{token:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_else_opens(value in "[0-9a-f]{0,300}|.{0,200}") {
            prop_assert!(sessions("one").open(&value).is_none());
        }

        #[test]
        fn a_changed_cookie_is_no_session(at in 0usize..100, to in "[0-9a-f]") {
            let sessions = sessions("one");
            let mut value = begun(&sessions).1.value().to_owned();
            let at = at % value.len();
            if value[at..=at] != to {
                value.replace_range(at..=at, &to);
                prop_assert!(sessions.open(&value).is_none());
            }
        }
    }
}
