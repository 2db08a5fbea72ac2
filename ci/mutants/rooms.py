"""The rooms: the code that decides, and the quick tests that judge it."""

from dataclasses import dataclass

# Tests that changes of these files cannot break only cost time, and tests are no rooms.
EXCLUDED = ("**/testing/**", "**/testing.rs", "**/tests.rs", "**/tests/**")


@dataclass(frozen=True)
class Step:
    """One run of a test program: the argument of `cargo test` that names it, and parts of the names of the tests to run."""

    target: str
    filters: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join((self.target, *self.filters))


@dataclass(frozen=True)
class Room:
    """`files` are patterns of cargo-mutants; `steps` run one after the other until one of them notices."""

    name: str
    package: str
    files: tuple[str, ...]
    steps: tuple[Step, ...]

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(sorted({step.target for step in self.steps}))

    def __str__(self) -> str:
        return f"{self.name:9} | {self.package} | {' '.join(self.files)} | {'; '.join(map(str, self.steps))}"


def room(name: str, package: str, files: str, *steps: str) -> Room:
    words = [step.split() for step in steps]
    return Room(name, package, tuple(files.split()), tuple(Step(target, tuple(filters)) for target, *filters in words))


# Rooms of one package stand together, since they share one build.
ROOMS = (
    room("engine", "pipeline-pool", "pipeline-pool/src/engine/core/**/*.rs", "--lib engine::core"),
    room("http1", "pipeline-pool", "pipeline-pool/src/http1/**/*.rs", "--lib http1"),
    room(
        "dispatch",
        "aws-core",
        "aws-core/src/dispatch/**/*.rs aws-core/src/classify.rs aws-core/src/retry.rs aws-core/src/idempotency/**/*.rs",
        "--lib dispatch classify retry idempotency",
        "--test=dispatch",
        "--test=metrics",
        "--test=spans",
    ),
    room("signing4", "aws-core", "aws-core/src/v4/**/*.rs", "--lib v4", "--test=v4"),
    room("expiry", "aws-core", "aws-core/src/credentials/**/*.rs", "--lib credentials", "--test=credentials"),
    room("trust", "cache-layer", "cache-layer/src/through/trust/**/*.rs", "--lib trust", "--lib through"),
    room(
        "debts",
        "cache-layer",
        "cache-layer/src/memcached/node/**/*.rs cache-layer/src/memcached/ops/lease.rs"
        " cache-layer/src/memcached/health.rs",
        "--lib memcached",
        "--test=memcached",
    ),
    room("signing", "aws-sigv2", "aws-sigv2/src/**/*.rs", "--lib", "--test=vectors", "--test=independent"),
    room(
        "transfer",
        "s3-client",
        "s3-client/src/multipart/**/*.rs s3-client/src/transfer/**/*.rs",
        "--lib multipart transfer",
        "--test=it multipart transfer upload download",
        "--test=it",
    ),
    room(
        "checksums",
        "s3-client",
        "s3-client/src/checksum/**/*.rs s3-client/src/digest.rs",
        "--lib checksum digest",
        "--test=it checksum digest integrity",
        "--test=it",
    ),
    room(
        "sync",
        "s3-sync",
        "s3-sync/src/plan/**/*.rs s3-sync/src/filter/**/*.rs s3-sync/src/index/**/*.rs",
        "--lib",
        "--test=sync",
    ),
    room(
        "releases",
        "s3-sync",
        "s3-sync/src/release/follow/core/**/*.rs s3-sync/src/release/pointer/**/*.rs s3-sync/src/release/gc/**/*.rs"
        " s3-sync/src/release/manifest.rs s3-sync/src/release/layout.rs s3-sync/src/release/sign.rs",
        "--lib release",
        "--test=release",
    ),
    room(
        "stores",
        "cloud-stores",
        "cloud-stores/src/layout.rs cloud-stores/src/names.rs cloud-stores/src/record.rs cloud-stores/src/version.rs"
        " cloud-stores/src/nodes/**/*.rs cloud-stores/src/roster/**/*.rs cloud-stores/src/stores/**/*.rs"
        " cloud-stores/src/pubsub/commit/**/*.rs",
        "--lib",
        "--test=it nodes roster pubsub",
        "--test=it",
    ),
)
