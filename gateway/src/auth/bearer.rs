//! `Authorization: Bearer <credential>`, exactly once and no longer than the longest kind, a JWT; keys are bounded further
//! by their own parser. Pure: reads headers, knows no key.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};

use super::jwt::MAX_TOKEN_BYTES;
use crate::error::ApiError;

/// The token of the one Authorization header.
pub(super) fn token(headers: &HeaderMap) -> Result<&str, ApiError> {
    let mut values = headers.get_all(AUTHORIZATION);
    let value = values.next().ok_or(ApiError::MissingKey)?;
    if values.next().is_some() {
        return Err(ApiError::MalformedKey("it was sent more than once"));
    }
    let text = value.to_str().map_err(|_| ApiError::MalformedKey("it holds more than visible ASCII"))?;
    let (scheme, token) = text.split_once(' ').ok_or(ApiError::MalformedKey("it holds no key"))?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(ApiError::MalformedKey("its scheme is not Bearer"));
    }
    match token {
        "" => Err(ApiError::MalformedKey("it holds no key")),
        long if long.len() > MAX_TOKEN_BYTES => Err(ApiError::MalformedKey("the key is too long")),
        spaced if !spaced.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err(ApiError::MalformedKey("the key holds spaces"))
        }
        token => Ok(token),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn read(values: &[&[u8]]) -> Result<String, ApiError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).expect("a header value"));
        }
        token(&headers).map(str::to_owned)
    }

    #[test]
    fn one_bearer_key_is_read() {
        assert_eq!(read(&[b"Bearer tk_1.secret"]).expect("a key"), "tk_1.secret");
        assert_eq!(read(&[b"bearer tk_1.secret"]).expect("schemes ignore case"), "tk_1.secret");
    }

    #[test]
    fn anything_else_is_refused() {
        assert!(matches!(read(&[]), Err(ApiError::MissingKey)));
        let long = [b"Bearer ".as_slice(), &[b'a'; MAX_TOKEN_BYTES + 1]].concat();
        for wrong in [
            b"".as_slice(),
            b"Bearer",
            b"Bearer ",
            b"Bearer  two-spaces",
            b"Bearer a b",
            b"Basic dXNlcg==",
            b"tk_1.secret",
            b"Bearer \xff",
            &long,
        ] {
            assert!(matches!(read(&[wrong]), Err(ApiError::MalformedKey(_))), "{wrong:?}");
        }
        assert!(matches!(read(&[b"Bearer a", b"Bearer a"]), Err(ApiError::MalformedKey(_))));
    }

    proptest! {
        #[test]
        fn a_token_is_never_empty_spaced_or_long(value in "[ -~]{0,600}|Bearer [!-~]{8100,8300}") {
            if let Ok(token) = read(&[value.as_bytes()]) {
                prop_assert!(!token.is_empty() && token.len() <= MAX_TOKEN_BYTES && !token.contains(' '));
            }
        }
    }
}
