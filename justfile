# The same words for people and for CI.

# Everything CI asks
check:
    .ci/run

# Start a gateway to play with: loopback only, the documented ports and key
run *ARGS:
    cargo run -p lockgate -- dev {{ARGS}}

# Every test, the AWS stand-ins included
test:
    cargo xtask test

# The tests of one crate or suite, for instance: just one lockgate-tests --test http
one CRATE *ARGS:
    cargo nextest run -p {{CRATE}} {{ARGS}}

# The gateway as it is released: built by profile
release:
    cargo xtask release

# Lockgate and nginx side by side: CPU, instructions, latency, memory
bench *ARGS:
    bench/compare {{ARGS}}

# Start-up time, idle memory, one change among 10,000 routes
bench-start *ARGS:
    bench/start {{ARGS}}

# What a warm call of a function on this machine costs, and memory over 100,000 of them
bench-invoke *ARGS:
    bench/invoke {{ARGS}}

# What a change among many routes costs, how they load, and how gateways on one etcd follow each other.
bench-many *ARGS:
    bench/many {{ARGS}}

# Fuzz targets, a minute each: those that are named, or all; for instance: just fuzz --seconds 600 h2_frames
fuzz *ARGS:
    cargo xtask fuzz {{ARGS}}
