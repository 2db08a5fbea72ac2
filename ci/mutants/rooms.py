"""The rooms: the code that decides, and the quick tests that judge it."""

from dataclasses import dataclass

# Tests that changes of these files cannot break only cost time, and tests are no rooms.
EXCLUDED = ("**/testing/**", "**/tests.rs", "**/tests/**")


@dataclass(frozen=True)
class Room:
    """`files` are patterns of cargo-mutants; `tests` are arguments of `cargo test`: targets, and then filters.

    `likely` are filters of the tests that most likely notice a change: they run before all, which saves time alone.
    """

    name: str
    package: str
    files: tuple[str, ...]
    tests: tuple[str, ...]
    likely: tuple[str, ...] = ()

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(word for word in self.tests if word.startswith("--"))

    @property
    def filters(self) -> tuple[str, ...]:
        return tuple(word for word in self.tests if not word.startswith("--"))

    def __str__(self) -> str:
        return f"{self.name:9} | {self.package} | {' '.join(self.files)} | {' '.join(self.tests)}"


def _room(name: str, package: str, files: str, tests: str, likely: str = "") -> Room:
    return Room(name, package, tuple(files.split()), tuple(tests.split()), tuple(likely.split()))


# Rooms of one package stand together, since they share one build.
ROOMS = (
    _room("engine", "pipeline-pool", "pipeline-pool/src/engine/core/**/*.rs", "--lib engine::core"),
    _room("http1", "pipeline-pool", "pipeline-pool/src/http1/**/*.rs", "--lib http1"),
    _room(
        "dispatch",
        "aws-core",
        "aws-core/src/dispatch/**/*.rs aws-core/src/classify.rs aws-core/src/retry.rs aws-core/src/idempotency/**/*.rs",
        "--lib --test=dispatch",
        likely="dispatch verdict classify retry idempotency",
    ),
    _room("signing4", "aws-core", "aws-core/src/v4/**/*.rs", "--lib --test=v4", likely="v4 sign"),
    _room("expiry", "aws-core", "aws-core/src/credentials/**/*.rs", "--lib --test=credentials", likely="credentials"),
    _room("trust", "cache-layer", "cache-layer/src/through/trust/**/*.rs", "--lib through"),
    _room(
        "debts",
        "cache-layer",
        "cache-layer/src/memcached/node/**/*.rs cache-layer/src/memcached/ops/lease.rs"
        " cache-layer/src/memcached/health.rs",
        "--lib --test=memcached",
        likely="node lease health pending delete",
    ),
    _room("signing", "aws-sigv2", "aws-sigv2/src/**/*.rs", "--lib --test=vectors --test=independent"),
    _room(
        "transfer",
        "s3-client",
        "s3-client/src/multipart/**/*.rs s3-client/src/transfer/**/*.rs",
        "--lib --test=it",
        likely="multipart transfer upload download",
    ),
    _room(
        "checksums",
        "s3-client",
        "s3-client/src/checksum/**/*.rs s3-client/src/digest.rs",
        "--lib --test=it",
        likely="checksum digest integrity",
    ),
    _room(
        "sync",
        "s3-sync",
        "s3-sync/src/plan/**/*.rs s3-sync/src/filter/**/*.rs s3-sync/src/index/**/*.rs",
        "--lib --test=sync",
        likely="plan filter index",
    ),
    _room(
        "releases",
        "s3-sync",
        "s3-sync/src/release/follow/core/**/*.rs s3-sync/src/release/pointer/**/*.rs s3-sync/src/release/gc/**/*.rs"
        " s3-sync/src/release/manifest.rs s3-sync/src/release/layout.rs s3-sync/src/release/sign.rs",
        "--lib --test=release",
        likely="release follow pointer gc manifest sign",
    ),
    _room(
        "stores",
        "cloud-stores",
        "cloud-stores/src/layout.rs cloud-stores/src/names.rs cloud-stores/src/record.rs cloud-stores/src/version.rs"
        " cloud-stores/src/nodes/**/*.rs cloud-stores/src/roster/**/*.rs cloud-stores/src/stores/**/*.rs"
        " cloud-stores/src/pubsub/commit/**/*.rs",
        "--lib --test=it",
        likely="layout names record version nodes roster stores commit",
    ),
)
