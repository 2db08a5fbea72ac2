"""The rooms: the code that decides, and the quick tests that judge it."""

from dataclasses import dataclass

# Tests that changes of these files cannot break only cost time, and tests are no rooms.
EXCLUDED = ("**/testing/**", "**/tests.rs", "**/tests/**")


@dataclass(frozen=True)
class Room:
    """`files` are patterns of cargo-mutants; `tests` are arguments of `cargo test`: targets, and then filters."""

    name: str
    package: str
    files: tuple[str, ...]
    tests: tuple[str, ...]

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(word for word in self.tests if word.startswith("--"))

    @property
    def filters(self) -> tuple[str, ...]:
        return tuple(word for word in self.tests if not word.startswith("--"))

    def __str__(self) -> str:
        return f"{self.name:9} | {self.package} | {' '.join(self.files)} | {' '.join(self.tests)}"


def _room(name: str, package: str, files: str, tests: str) -> Room:
    return Room(name, package, tuple(files.split()), tuple(tests.split()))


# Rooms of one package stand together, since they share one build.
ROOMS = (
    _room("engine", "pipeline-pool", "pipeline-pool/src/engine/core/**/*.rs", "--lib engine::core"),
    _room("http1", "pipeline-pool", "pipeline-pool/src/http1/**/*.rs", "--lib http1"),
    _room(
        "dispatch",
        "aws-core",
        "aws-core/src/dispatch/**/*.rs aws-core/src/classify.rs aws-core/src/retry.rs aws-core/src/idempotency/**/*.rs",
        "--lib --test=dispatch",
    ),
    _room("signing4", "aws-core", "aws-core/src/v4/**/*.rs", "--lib --test=v4"),
    _room("expiry", "aws-core", "aws-core/src/credentials/**/*.rs", "--lib --test=credentials"),
    _room("trust", "cache-layer", "cache-layer/src/through/trust/**/*.rs", "--lib through"),
    _room(
        "debts",
        "cache-layer",
        "cache-layer/src/memcached/node/**/*.rs cache-layer/src/memcached/ops/lease.rs"
        " cache-layer/src/memcached/health.rs",
        "--lib --test=memcached",
    ),
    _room("signing", "aws-sigv2", "aws-sigv2/src/**/*.rs", "--lib --test=vectors --test=independent"),
    _room(
        "transfer",
        "s3-client",
        "s3-client/src/multipart/**/*.rs s3-client/src/transfer/**/*.rs",
        "--lib --test=it",
    ),
    _room("checksums", "s3-client", "s3-client/src/checksum/**/*.rs s3-client/src/digest.rs", "--lib --test=it"),
)
