//! What the host name of an AWS endpoint says: the region and the service that requests to it are signed for.

/// The region of endpoints that are in all of them, such as a web function's global one. Only Signature Version
/// 4a can sign for it.
pub const EVERY_REGION: &str = "*";

/// Region and service, as a credential scope names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Such as `eu-central-1`, or [`EVERY_REGION`].
    pub region: String,
    /// The signing name: `execute-api` or `lambda`. Function URLs and web functions are signed for `lambda`.
    pub service: &'static str,
}

/// The names that the partitions of AWS keep their endpoints under.
const DOMAINS: [(&str, Family); 17] = [
    ("amazonaws.com", Family::Regional),
    ("api.aws", Family::Regional),
    ("on.aws", Family::Function),
    ("amazonaws.com.cn", Family::Regional),
    ("api.amazonwebservices.com.cn", Family::Regional),
    ("on.amazonwebservices.com.cn", Family::Function),
    ("amazonaws.eu", Family::Regional),
    ("api.amazonwebservices.eu", Family::Regional),
    ("on.amazonwebservices.eu", Family::Function),
    ("c2s.ic.gov", Family::Regional),
    ("api.aws.ic.gov", Family::Regional),
    ("sc2s.sgov.gov", Family::Regional),
    ("api.aws.scloud", Family::Regional),
    ("cloud.adc-e.uk", Family::Regional),
    ("api.cloud-aws.adc-e.uk", Family::Regional),
    ("csp.hci.ic.gov", Family::Regional),
    ("api.aws.hci.ic.gov", Family::Regional),
];

/// How names under a domain are built.
#[derive(Clone, Copy)]
enum Family {
    /// `SERVICE.REGION`, with `-fips` after the service or `vpce` after the region.
    Regional,
    /// `ID.KIND.REGION`: functions with a name of their own.
    Function,
}

impl Endpoint {
    /// Reads a host name, with or without a port. `None` for hosts that are no endpoint of API Gateway or Lambda:
    /// custom domains, other services, addresses.
    pub fn of_host(host: &str) -> Option<Self> {
        let name = host.split_once(':').map_or(host, |(name, _)| name);
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let (rest, family) = DOMAINS.iter().find_map(|(domain, family)| {
            let rest = name.strip_suffix(domain)?.strip_suffix('.')?;
            Some((rest, *family))
        })?;
        let labels: Vec<&str> = rest.split('.').collect();
        if labels.iter().any(|label| label.is_empty()) {
            return None;
        }
        match family {
            Family::Regional => Self::regional(&labels),
            Family::Function => Self::function(&labels),
        }
    }

    fn regional(labels: &[&str]) -> Option<Self> {
        let (labels, is_private) = match labels {
            [labels @ .., "vpce"] => (labels, true),
            labels => (labels, false),
        };
        let [ids @ .., service, region] = labels else {
            return None;
        };
        let service = match (service.strip_suffix("-fips").unwrap_or(service), ids.len()) {
            ("execute-api", 1) => "execute-api",
            ("lambda", 0) => "lambda",
            ("lambda", 1) if is_private => "lambda",
            _ => return None,
        };
        is_region(region).then(|| Self { region: (*region).to_owned(), service })
    }

    fn function(labels: &[&str]) -> Option<Self> {
        match labels {
            [_, "lambda-url", region] | [_, _, "lambda-web", region] if is_region(region) => {
                Some(Self { region: (*region).to_owned(), service: "lambda" })
            }
            [_, "lambda-web", "global"] => Some(Self { region: EVERY_REGION.to_owned(), service: "lambda" }),
            _ => None,
        }
    }
}

/// Whether a label has the form of a region: `us-gov-west-1`, `eusc-de-east-1`.
fn is_region(label: &str) -> bool {
    let parts: Vec<&str> = label.split('-').collect();
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    match parts.as_slice() {
        [words @ .., number] => {
            words.len() >= 2
                && words.iter().all(is_word)
                && !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit())
        }
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    /// Host, region, service.
    const ENDPOINTS: &[&str] = &[
        "x9w6z07gb9.execute-api.us-east-1.amazonaws.com us-east-1 execute-api",
        "X9W6.Execute-API.US-East-1.AmazonAWS.com. us-east-1 execute-api",
        "x9w6.execute-api.us-east-1.amazonaws.com:8443 us-east-1 execute-api",
        "x9w6.execute-api-fips.us-west-2.amazonaws.com us-west-2 execute-api",
        "x9w6.execute-api.eu-west-1.api.aws eu-west-1 execute-api",
        "x9w6.execute-api.cn-north-1.amazonaws.com.cn cn-north-1 execute-api",
        "x9w6.execute-api.us-gov-west-1.amazonaws.com us-gov-west-1 execute-api",
        "x9w6.execute-api.eusc-de-east-1.amazonaws.eu eusc-de-east-1 execute-api",
        "x9w6-vpce-0123abcd.execute-api.us-east-1.amazonaws.com us-east-1 execute-api",
        "vpce-0123-ab.execute-api.ap-south-2.vpce.amazonaws.com ap-south-2 execute-api",
        "vpce-0123-ab.execute-api.cn-north-1.vpce.amazonaws.com.cn cn-north-1 execute-api",
        "lambda.us-east-1.amazonaws.com us-east-1 lambda",
        "lambda.us-east-1.amazonaws.com:443 us-east-1 lambda",
        "lambda-fips.us-gov-east-1.amazonaws.com us-gov-east-1 lambda",
        "lambda.mx-central-1.api.aws mx-central-1 lambda",
        "lambda-fips.us-east-2.api.aws us-east-2 lambda",
        "lambda.cn-northwest-1.amazonaws.com.cn cn-northwest-1 lambda",
        "lambda.cn-north-1.api.amazonwebservices.com.cn cn-north-1 lambda",
        "lambda.eusc-de-east-1.amazonaws.eu eusc-de-east-1 lambda",
        "lambda.eusc-de-east-1.api.amazonwebservices.eu eusc-de-east-1 lambda",
        "lambda.us-iso-east-1.c2s.ic.gov us-iso-east-1 lambda",
        "lambda.us-isob-east-1.sc2s.sgov.gov us-isob-east-1 lambda",
        "lambda.us-isof-south-1.csp.hci.ic.gov us-isof-south-1 lambda",
        "lambda.eu-isoe-west-1.cloud.adc-e.uk eu-isoe-west-1 lambda",
        "vpce-0123-abcd.lambda.us-east-1.vpce.amazonaws.com us-east-1 lambda",
        "abcdefg.lambda-url.eu-central-1.on.aws eu-central-1 lambda",
        "abcdefg.lambda-url.us-gov-west-1.on.aws us-gov-west-1 lambda",
        "abcdefg.lambda-url.cn-north-1.on.amazonwebservices.com.cn cn-north-1 lambda",
        "abcdefg.lambda-url.eusc-de-east-1.on.amazonwebservices.eu eusc-de-east-1 lambda",
        "shop.g1.lambda-web.eu-west-3.on.aws eu-west-3 lambda",
        "shop.lambda-web.global.on.aws * lambda",
    ];

    #[test]
    fn hosts_of_aws_name_their_region_and_service() {
        for row in ENDPOINTS {
            let (host, expected) = row.split_once(' ').unwrap();
            let endpoint = Endpoint::of_host(host).unwrap_or_else(|| panic!("{host} is an endpoint"));
            assert_eq!(format!("{} {}", endpoint.region, endpoint.service), expected, "{host}");
        }
    }

    #[test]
    fn other_hosts_name_nothing() {
        for host in [
            "",
            ".",
            ":443",
            "api.example.com",
            "127.0.0.1",
            "[::1]:443",
            "localhost:3000",
            "amazonaws.com",
            "us-east-1.amazonaws.com",
            "s3.us-east-1.amazonaws.com",
            "dynamodb.us-east-1.amazonaws.com",
            "execute-api.us-east-1.amazonaws.com",
            "a.b.execute-api.us-east-1.amazonaws.com",
            "x.execute-api.us-east-1.amazonaws.com.evil.example",
            "x.execute-api.us-east-1.notamazonaws.com",
            "x.execute-api..amazonaws.com",
            ".execute-api.us-east-1.amazonaws.com",
            "x.execute-api.amazonaws.com",
            "x.execute-api.useast1.amazonaws.com",
            "x.execute-api.us-east-.amazonaws.com",
            "x.execute-api.us--1.amazonaws.com",
            "x.lambda.us-east-1.amazonaws.com",
            "x.lambda-url.us-east-1.amazonaws.com",
            "lambda-url.us-east-1.on.aws",
            "x.lambda-web.us-east-1.on.aws",
            "x.y.lambda-url.us-east-1.on.aws",
            "d1234.cloudfront.net",
        ] {
            assert_eq!(Endpoint::of_host(host), None, "{host}");
        }
    }
}
