//! Public keys as PEM (`SubjectPublicKeyInfo`, RFC 5280): RSA, P-256 and Ed25519, each by its exact identifier. Pure.

use rustls_pki_types::{SubjectPublicKeyInfoDer, alg_id, pem::PemObject};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;

/// A public key's numbers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PublicKey {
    /// Modulus and exponent, big-endian, possibly with zeros in front.
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The exponent.
        e: Vec<u8>,
    },
    /// A point of P-256, uncompressed.
    P256(Vec<u8>),
    /// 32 bytes.
    Ed25519(Vec<u8>),
}

impl PublicKey {
    /// Reads the first `PUBLIC KEY` of a PEM file.
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| {
            "holds no `-----BEGIN PUBLIC KEY-----`; `openssl x509 -pubkey -noout` takes it out of a certificate"
                .to_owned()
        })?;
        Self::from_der(&der).ok_or_else(|| "is not a public key of RSA, P-256 or Ed25519".to_owned())
    }

    fn from_der(mut der: &[u8]) -> Option<Self> {
        let mut info = take_last(&mut der, SEQUENCE)?;
        let algorithm = take(&mut info, SEQUENCE)?;
        let (unused_bits, key) = take_last(&mut info, BIT_STRING)?.split_first()?;
        if *unused_bits != 0 {
            return None;
        }
        if algorithm == alg_id::RSA_ENCRYPTION.as_ref() {
            return rsa(key);
        }
        if algorithm == alg_id::ECDSA_P256.as_ref() {
            return (key.len() == 65 && key.first() == Some(&4)).then(|| Self::P256(key.to_vec()));
        }
        (algorithm == alg_id::ED25519.as_ref() && key.len() == 32).then(|| Self::Ed25519(key.to_vec()))
    }
}

/// `RSAPublicKey` of RFC 8017: two integers.
fn rsa(mut der: &[u8]) -> Option<PublicKey> {
    let mut numbers = take_last(&mut der, SEQUENCE)?;
    let n = take(&mut numbers, INTEGER)?.to_vec();
    let e = take_last(&mut numbers, INTEGER)?.to_vec();
    Some(PublicKey::Rsa { n, e })
}

/// The content of the next element, which must have this tag.
fn take<'a>(der: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (found, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        short @ 0..=0x7f => (usize::from(*short), rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *der = rest;
    (*found == tag).then_some(content)
}

/// [`take`], of the last element there is.
fn take_last<'a>(der: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    take(der, tag).filter(|_| der.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_three_kinds_are_read() {
        let rsa = PublicKey::from_pem(include_bytes!("testdata/rsa-public.pem")).expect("RSA");
        assert!(matches!(rsa, PublicKey::Rsa { n, e } if n.len() == 257 && e == [1, 0, 1]));
        let p256 = PublicKey::from_pem(include_bytes!("testdata/p256-public.pem")).expect("P-256");
        assert!(matches!(p256, PublicKey::P256(_)));
        let ed25519 = PublicKey::from_pem(include_bytes!("testdata/ed25519-public.pem")).expect("Ed25519");
        assert!(matches!(ed25519, PublicKey::Ed25519(_)));
    }

    #[test]
    fn a_private_key_or_another_curve_is_refused() {
        let private = PublicKey::from_pem(include_bytes!("testdata/rsa-private.pem")).expect_err("private");
        assert!(private.contains("BEGIN PUBLIC KEY"), "{private}");
        let p384 = PublicKey::from_pem(include_bytes!("testdata/p384-public.pem")).expect_err("P-384");
        assert!(p384.contains("P-256"), "{p384}");
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            _ = PublicKey::from_der(&bytes);
            _ = PublicKey::from_pem(&bytes);
        }
    }
}
