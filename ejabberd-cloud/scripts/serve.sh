#!/usr/bin/env bash
# Runs a node of ejabberd for a domain, in the foreground: the entry point of the image, and of the service of cloud-init.yaml.
#
#   scripts/serve.sh DOMAIN
#
# Everything else has a default:
#
# EJABBERD_CLOUD_BUCKET  the bucket, which has to be there; chat- and the domain, with hyphens for its dots
# EJABBERD_CLOUD_REGION  the region of the bucket and of SimpleDB; AWS_REGION, or the one that this machine is in
# ADDRESS                the address by which other nodes reach this one; the first of this machine
# LISTEN                 the address to listen on; all
# HTTP_ADDRESS           the address for administration, by HTTP without a password: only for this machine; 127.0.0.1
# CERTIFICATE            a file with the certificate, those that signed it, and its key. Without it, the secret `certificate` in the
#                        bucket is taken; where there is none, ejabberd asks Let's Encrypt for one, on port 80
# SELF_SIGNED            set to true for trying: a certificate that nobody trusts, where there is none
# RUN                    a folder for what the node writes, none of which has to be kept; /var/lib/ejabberd-cloud
# SHIMS                  where erlang/build.sh has put the shims; /usr/local/lib/ejabberd-cloud
#
# scripts/node.sh and `ejabberd-cloud port --help` name more. Keys come from the role of the machine, or from AWS_*.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if (($# != 1)) || [[ ! $1 =~ ^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$ ]]; then
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2
    exit 2
fi
domain=${1,,}
: "${RUN:=/var/lib/ejabberd-cloud}" "${LISTEN:=::}" "${HTTP_ADDRESS:=127.0.0.1}" "${CERTIFICATE:=}"
export SHIMS=${SHIMS:-/usr/local/lib/ejabberd-cloud} NAME=${NAME:-ejabberd} DIST_PORT=${DIST_PORT:-4370}
export EJABBERD_CLOUD_BUCKET=${EJABBERD_CLOUD_BUCKET:-chat-${domain//./-}}

if [[ -z ${ADDRESS-} ]]; then
    read -r ADDRESS _ < <(hostname -I) || true
fi
export ADDRESS=${ADDRESS:?this machine has no address that others could reach}
if [[ -z ${EJABBERD_CLOUD_REGION-} ]]; then
    : "${EJABBERD_CLOUD_S3_ENDPOINT:=}"
    # What the metadata service of EC2 says, with a token, as machines that take nothing else want it.
    metadata=http://169.254.169.254/latest
    EJABBERD_CLOUD_REGION=${AWS_REGION-}
    if [[ -z $EJABBERD_CLOUD_REGION$EJABBERD_CLOUD_S3_ENDPOINT ]] && token=$(curl -sf -m 2 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $metadata/api/token); then
        EJABBERD_CLOUD_REGION=$(curl -sf -m 2 -H "X-aws-ec2-metadata-token: $token" $metadata/meta-data/placement/region || true)
    fi
    if [[ -z $EJABBERD_CLOUD_REGION$EJABBERD_CLOUD_S3_ENDPOINT ]]; then
        echo "$0: no region: set EJABBERD_CLOUD_REGION or AWS_REGION" >&2
        exit 1
    fi
fi
export EJABBERD_CLOUD_REGION=${EJABBERD_CLOUD_REGION:-us-east-1}

# One part of a name in a certificate has up to 63 characters, and so has the name as a whole where it is shown.
self_signed() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj "/CN=${domain:0:63}" \
        -addext "subjectAltName=DNS:$domain,DNS:*.$domain" -keyout "$1.key" -out "$1.crt" 2>/dev/null
    cat "$1.crt" "$1.key"
    rm -f "$1.crt" "$1.key"
}

mkdir -p "$RUN"
# All that follows is for this user alone: it has keys in it.
umask 077
# A bucket that cannot be reached is an error, not a reason to be a cluster of one with a cookie of its own.
COOKIE=$(ejabberd-cloud secret cookie --random)
export COOKIE
if [[ -z $CERTIFICATE ]]; then
    CERTIFICATE=$RUN/certificate.pem status=0
    ejabberd-cloud secret certificate >"$CERTIFICATE" || status=$?
    case $status in
    0) ;;
    3) if [[ ${SELF_SIGNED-} == true ]]; then
        self_signed "$RUN/new" >"$CERTIFICATE"
    else
        CERTIFICATE=
    fi ;;
    *) exit $status ;;
    esac
fi
if [[ -n $CERTIFICATE ]]; then
    without='# with acme$' certificate=$CERTIFICATE
else
    without='# with a certificate$' certificate=
fi
sed -e "/$without/d; s/ *# with acme\$//; s/ *# with a certificate\$//" \
    -e "s/@DOMAIN@/$domain/g; s/@LISTEN@/$LISTEN/g; s/@HTTP_ADDRESS@/$HTTP_ADDRESS/g; s|@CERTIFICATE@|$certificate|g" \
    "$here/domain.yml" >"$RUN/domain.yml"
# Mnesia's tables of an earlier life are of no use. What Let's Encrypt gave is beside them, and it gives five in a week
# (https://letsencrypt.org/docs/rate-limits/).
if [[ -d $RUN/node/db/acme ]]; then
    rm -rf "$RUN/acme"
    mv "$RUN/node/db/acme" "$RUN/acme"
fi
rm -rf "$RUN/node"
if [[ -d $RUN/acme ]]; then
    mkdir -p "$RUN/node/db"
    mv "$RUN/acme" "$RUN/node/db/acme"
fi
exec "$here/node.sh" "$RUN/node" "$RUN/domain.yml"
