//! Where a request comes from: the connection's own address, unless that is a proxy whose word was configured to be
//! believed. Headers from anybody else say nothing.

use std::net::IpAddr;

use actix_web::HttpRequest;
use ipnet::IpNet;

/// Longest chain of addresses that is followed.
const MAX_HOPS: usize = 16;

/// The proxies whose `X-Forwarded-For` is believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Proxies in these networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Reads addresses and networks with commas between.
    pub fn parse(text: &str) -> Result<Self, String> {
        let network = |part: &str| {
            let part = part.trim();
            let address = part.parse::<IpAddr>().map(IpNet::from);
            address
                .or_else(|_| part.parse::<IpNet>())
                .map_err(|_| format!("`{part}` is neither an address nor a network such as 10.0.0.0/8"))
        };
        text.split(',').map(network).collect::<Result<_, _>>().map(Self)
    }

    /// The client's address.
    pub fn client(&self, request: &HttpRequest) -> Option<IpAddr> {
        let peer = request.peer_addr()?.ip();
        let forwarded = request.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok());
        Some(self.walk(peer, &forwarded.collect::<Vec<_>>()))
    }

    /// From the nearest hop outward, as long as each is trusted; what a stranger wrote is not looked at.
    fn walk(&self, peer: IpAddr, forwarded: &[&str]) -> IpAddr {
        let hops = forwarded.iter().rev().flat_map(|line| line.rsplit(',')).take(MAX_HOPS);
        let mut client = peer;
        for hop in hops {
            if !self.trusts(client) {
                break;
            }
            match hop.trim().parse() {
                Ok(address) => client = address,
                Err(_) => break,
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_counts_only_from_a_trusted_proxy_and_only_its_last_word() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let nobody = TrustedProxies::default();
        assert_eq!(nobody.walk(ip("192.0.2.1"), &["203.0.113.9"]), ip("192.0.2.1"));
        let proxies = TrustedProxies::parse("10.0.0.0/8, ::1").expect("networks");
        assert_eq!(proxies.walk(ip("10.1.2.3"), &["203.0.113.9"]), ip("203.0.113.9"));
        assert_eq!(proxies.walk(ip("::ffff:10.1.2.3"), &["203.0.113.9"]), ip("203.0.113.9"));
        assert_eq!(proxies.walk(ip("192.0.2.1"), &["203.0.113.9"]), ip("192.0.2.1"));
        // What the client made up stands before what the proxies saw.
        assert_eq!(
            proxies.walk(ip("10.1.2.3"), &["127.0.0.1, 198.51.100.7", "10.9.9.9"]),
            ip("198.51.100.7")
        );
        assert_eq!(proxies.walk(ip("10.1.2.3"), &["nonsense"]), ip("10.1.2.3"));
        assert!(TrustedProxies::parse("10.0.0.0/40").is_err());
    }
}
