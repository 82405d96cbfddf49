//! Sockets: of the data plane one for each worker at each address, so that the kernel spreads connections.

use std::io;
use std::net::{SocketAddr, TcpListener};

use anyhow::Context;
use lockgate_proxy::{Listener as Watched, ListenerSettings, Live, QuicListener, TlsSettings, Trusted};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};

use crate::handover::{Role, Taken};
use crate::quic::QuicPort;
use crate::settings::{Functions, Settings, SslListener};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Everything this program listens on. As long as this lives nobody is refused, so it goes before draining begins.
#[derive(Debug)]
pub(crate) struct Sockets {
    proxy: Vec<Port>,
    quic: Vec<QuicPort>,
    admin: Option<Port>,
    control: Option<Port>,
    status: Option<Port>,
    metrics: Option<Port>,
    functions: Option<Port>,
}

/// An address, and the sockets there.
#[derive(Debug)]
struct Port {
    role: Role,
    /// What the settings say; the port may be for the system to choose.
    asked: SocketAddr,
    sockets: Vec<TcpListener>,
    /// How its connections are served, where they are the data plane's.
    service: ListenerSettings,
}

impl Sockets {
    /// Takes what the running gateway gave, and opens what is missing.
    pub(crate) fn open(settings: &Settings, mut taken: Vec<Taken>) -> anyhow::Result<Self> {
        let workers = settings.workers.count().get();
        let mut proxy = Vec::new();
        for listener in &settings.listeners {
            let port = Port::open(Role::Proxy, listener.address(), workers, &mut taken)?;
            let service = ListenerSettings { allows_h2: listener.http2, ..ListenerSettings::default() };
            proxy.push(Port { service, ..port });
        }
        if let Some(listener) = settings.proxy_protocol.http {
            let port = Port::open(Role::Proxy, listener.address(), workers, &mut taken)
                .context("apisix.proxy_protocol.listen_http_port")?;
            let trusted = Trusted::new(settings.proxy_protocol.trusted.iter().copied());
            let service = ListenerSettings {
                allows_h2: listener.http2,
                proxy_protocol: Some(trusted),
                ..ListenerSettings::default()
            };
            proxy.push(Port { service, ..port });
        }
        let (https, quic) = https(settings, workers, &mut taken)?;
        proxy.extend(https);
        let admin = settings.serves_admin().then(|| {
            let port = Port::open(Role::Admin, settings.admin.listen, 1, &mut taken);
            port.with_context(|| format!("the Admin API's address is {}", settings.admin.listen))
        });
        let admin = admin.transpose()?;
        let control = settings.control.map(|asked| {
            let port = Port::open(Role::Control, asked, 1, &mut taken);
            port.with_context(|| format!("the Control API's address is {asked} (apisix.control)"))
        });
        let control = control.transpose()?;
        let status = settings.status.map(|asked| {
            let port = Port::open(Role::Status, asked, 1, &mut taken);
            port.with_context(|| format!("probes are answered at {asked} (apisix.status)"))
        });
        let status = status.transpose()?;
        let metrics = settings.metrics.export.map(|asked| Port::of_metrics(asked, settings, &mut taken));
        let metrics = metrics.transpose()?.flatten();
        let functions = &settings.functions;
        let functions = (!functions.list.is_empty()).then(|| Port::of_functions(functions, &mut taken));
        let functions = functions.transpose()?;
        for unused in taken {
            tracing::warn!(address = %unused.asked, "no longer listened on, as the settings have it");
        }
        Ok(Self { proxy, quic, admin, control, status, metrics, functions })
    }

    /// Where clients call the data plane by themselves.
    pub(crate) fn proxy_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let is_plain = |service: &ListenerSettings| service.proxy_protocol.is_none() && service.tls.is_none();
        let direct = self.proxy.iter().filter(|port| is_plain(&port.service));
        direct.map(Port::address).collect()
    }

    /// Where clients call it by HTTPS, and whether by HTTP/3 too.
    pub(crate) fn https_addresses(&self) -> io::Result<Vec<(SocketAddr, bool)>> {
        let is_direct =
            |service: &ListenerSettings| service.proxy_protocol.is_none() && service.tls.is_some();
        let direct = self.proxy.iter().filter(|port| is_direct(&port.service));
        direct.map(|port| Ok((port.address()?, port.service.alt_svc.is_some()))).collect()
    }

    /// Where HTTP/3 comes in, for one worker.
    pub(crate) fn quic(&self, live: &Live) -> anyhow::Result<Vec<QuicListener>> {
        self.quic.iter().map(|port| port.listener(live)).collect()
    }

    /// Where the Admin API listens, where there is one.
    pub(crate) fn admin_address(&self) -> io::Result<Option<SocketAddr>> {
        self.admin.as_ref().map(Port::address).transpose()
    }

    /// The Control API's socket, where it is on.
    pub(crate) fn control(&self) -> io::Result<Option<tokio::net::TcpListener>> {
        self.control.as_ref().map(Port::listener).transpose()
    }

    /// The export server's socket, where it is on.
    pub(crate) fn metrics(&self) -> io::Result<Option<tokio::net::TcpListener>> {
        self.metrics.as_ref().map(Port::listener).transpose()
    }

    /// The socket that probes call, where they may.
    pub(crate) fn status(&self) -> io::Result<Option<TcpListener>> {
        self.status.as_ref().map(|port| port.first()?.try_clone()).transpose()
    }

    /// The Admin API's socket, where there is one.
    pub(crate) fn admin(&self) -> io::Result<Option<tokio::net::TcpListener>> {
        self.admin.as_ref().map(Port::listener).transpose()
    }

    /// The socket that functions are called on, where there are any.
    pub(crate) fn functions(&self) -> io::Result<Option<TcpListener>> {
        self.functions.as_ref().map(|port| port.first()?.try_clone()).transpose()
    }

    /// The sockets of each worker. Where a gateway with more workers had them before, some have more than one at an
    /// address: who waits in a socket has to be accepted by somebody.
    pub(crate) fn of_workers(&self, workers: usize) -> io::Result<Vec<Vec<Watched>>> {
        let mut each: Vec<Vec<Watched>> = (0..workers).map(|_| Vec::new()).collect();
        for port in &self.proxy {
            for (number, socket) in port.sockets.iter().enumerate() {
                let socket = socket.try_clone()?;
                each[number % workers].push(Watched { socket, service: port.service.clone() });
            }
        }
        Ok(each)
    }

    /// All of them, for the next gateway.
    pub(crate) fn to_give(&self) -> io::Result<Vec<(Role, SocketAddr, TcpListener)>> {
        let ports = self.proxy.iter().chain(&self.admin).chain(&self.control).chain(&self.status);
        let ports = ports.chain(&self.metrics).chain(&self.functions);
        let each = ports.flat_map(|port| port.sockets.iter().map(move |socket| (port, socket)));
        each.map(|(port, socket)| Ok((port.role, port.asked, socket.try_clone()?))).collect()
    }
}

impl Port {
    fn open(role: Role, asked: SocketAddr, count: usize, taken: &mut Vec<Taken>) -> anyhow::Result<Self> {
        let is_this = |one: &mut Taken| one.role == role && one.asked == asked;
        let mut sockets: Vec<_> = taken.extract_if(.., is_this).map(|one| one.socket).collect();
        let address = match sockets.first() {
            Some(first) => first.local_addr()?,
            None => probe(asked)?,
        };
        while sockets.len() < count {
            let socket = open(address, count > 1).with_context(|| format!("cannot listen on {address}"))?;
            sockets.push(socket);
        }
        Ok(Self { role, asked, sockets, service: ListenerSettings::default() })
    }

    /// The export server's port; `None` where it is taken and may be.
    fn of_metrics(
        asked: SocketAddr,
        settings: &Settings,
        taken: &mut Vec<Taken>,
    ) -> anyhow::Result<Option<Self>> {
        match Self::open(Role::Metrics, asked, 1, taken) {
            Ok(port) => Ok(Some(port)),
            Err(error) if settings.metrics.is_export_optional => {
                tracing::warn!("metrics are not shown: {error:#}");
                Ok(None)
            }
            Err(error) => Err(error).with_context(|| {
                format!("metrics are shown at {asked} (plugin_attr.prometheus.export_addr)")
            }),
        }
    }

    /// The functions' port, or any that is free where it is taken and nobody asked for it.
    fn of_functions(functions: &Functions, taken: &mut Vec<Taken>) -> anyhow::Result<Self> {
        let opened = Self::open(Role::Functions, functions.listen, 1, taken);
        if opened.is_err() && !functions.is_listen_set {
            let any = SocketAddr::new(functions.listen.ip(), 0);
            tracing::warn!("{} is taken: functions are called on another port", functions.listen);
            return Self::open(Role::Functions, any, 1, taken);
        }
        opened.with_context(|| format!("the functions' address is {}", functions.listen))
    }

    fn listener(&self) -> io::Result<tokio::net::TcpListener> {
        let socket = self.first()?.try_clone()?;
        socket.set_nonblocking(true)?;
        tokio::net::TcpListener::from_std(socket)
    }

    fn first(&self) -> io::Result<&TcpListener> {
        self.sockets.first().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn address(&self) -> io::Result<SocketAddr> {
        self.first()?.local_addr()
    }
}

/// The ports of HTTPS.
fn https(
    settings: &Settings,
    workers: usize,
    taken: &mut Vec<Taken>,
) -> anyhow::Result<(Vec<Port>, Vec<QuicPort>)> {
    let ssl = &settings.ssl;
    let tls = TlsSettings { fallback_sni: ssl.fallback_sni.as_deref().map(Into::into) };
    let follows = !taken.is_empty();
    let (mut ports, mut quic) = (Vec::new(), Vec::new());
    for SslListener { listener, http3 } in &ssl.listeners {
        match Port::open(Role::Proxy, listener.address(), workers, taken) {
            Ok(port) => {
                let by_quic = http3.then(|| QuicPort::open(port.address()?, follows, &tls)).transpose()?;
                let service = ListenerSettings {
                    allows_h2: listener.http2,
                    proxy_protocol: None,
                    tls: Some(tls.clone()),
                    alt_svc: by_quic.as_ref().map(|port| port.alt_svc().into()),
                };
                quic.extend(by_quic);
                ports.push(Port { service, ..port });
            }
            Err(error) if !ssl.is_listen_set => {
                tracing::warn!("HTTPS is not served, as its default port cannot be had: {error:#}");
            }
            Err(error) => return Err(error.context("apisix.ssl.listen")),
        }
    }
    if let Some(listener) = settings.proxy_protocol.https {
        let port = Port::open(Role::Proxy, listener.address(), workers, taken)
            .context("apisix.proxy_protocol.listen_https_port")?;
        let trusted = Trusted::new(settings.proxy_protocol.trusted.iter().copied());
        let service = ListenerSettings {
            allows_h2: listener.http2,
            proxy_protocol: Some(trusted),
            tls: Some(tls),
            alt_svc: None,
        };
        ports.push(Port { service, ..port });
    }
    Ok((ports, quic))
}

/// Sockets that share a port would share it with another program of the same user too, so the port is first
/// asked for alone. Gives the address with its port, where that was for the system to choose.
fn probe(address: SocketAddr) -> anyhow::Result<SocketAddr> {
    let taken = || format!("cannot listen on {address}: is another gateway running?");
    let socket = open(address, false).with_context(taken)?;
    Ok(socket.local_addr()?)
}

fn open(address: SocketAddr, shares: bool) -> io::Result<TcpListener> {
    let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if shares {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
