//! The harness itself: what a test relies on is tested first.

use crate::{Authority, Connection, FakeUpstream, Function, Gate, Ports, Then, closed_port, curl};

#[test]
fn an_upstream_keeps_the_exact_bytes_it_received() {
    let upstream = FakeUpstream::fixed("ok");
    let mut connection = Connection::open(upstream.address);
    let request =
        "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n";
    assert_eq!(connection.exchange(request).text(), "ok");
    let received = upstream.next();
    assert_eq!([received.head.raw, received.raw_body].concat(), request.as_bytes());
    assert_eq!((received.body.as_slice(), received.trailers.len()), (b"abc".as_slice(), 1));
    assert_eq!(upstream.bytes(), [request.as_bytes()]);
}

#[test]
fn responses_of_each_framing_are_read_to_their_end() {
    for response in [
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nabc",
    ] {
        let upstream =
            FakeUpstream::start(move |_, connection| connection.send(response).map(|()| Then::Close));
        let reply = Connection::open(upstream.address).exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!((reply.status, reply.text().as_str()), (200, "abc"));
    }
}

#[test]
fn a_function_over_tls_asks_for_its_key() {
    let authority = Authority::new();
    let function = Function::start_tls(0, authority.server("localhost"));
    let url = format!("https://localhost:{}/f?name=Curl", function.port());
    let file = authority.file();
    let trust = ["--cacert", file.to_str().expect("a path in UTF-8")];
    assert!(curl(&[trust[0], trust[1], &url]).output.contains("Forbidden"));
    let key = format!("x-api-key: {}", Function::KEY);
    assert_eq!(curl(&[trust[0], trust[1], "-H", &key, &url]).output, "\"Hello, Curl!\"");
    assert!(!curl(&[&url]).is_success, "the authority is known to nobody else");
}

#[test]
fn a_gate_lets_through_as_often_as_it_was_opened() {
    let gate = Gate::new();
    let waiting = gate.clone();
    let thread = std::thread::spawn(move || (0..3).for_each(|_| waiting.pass()));
    (0..3).for_each(|_| gate.open());
    assert!(thread.join().is_ok());
}

#[test]
fn blocks_of_ports_do_not_overlap() {
    let (one, two) = (Ports::take(), Ports::take());
    assert!((0..7).all(|index| (0..7).all(|other| one.get(index) != two.get(other))));
    assert!(std::net::TcpStream::connect(("127.0.0.1", closed_port())).is_err());
}
