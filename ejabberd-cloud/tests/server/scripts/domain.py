"""A domain as scripts/serve.sh serves it, on two nodes: by TLS alone, with streams that can be resumed."""

import asyncio
import socket
import ssl
import sys
import tempfile
from pathlib import Path

import checks

checks.HOST = HOST = "chat.example.org"

from checks import PATIENCE, Client, api, ask, attempt, check, main, register

A, B = sys.argv[1:3]


def certificate(address):
    """The certificate of the port that begins with TLS."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection((address, 5223), timeout=PATIENCE) as plain:
        with context.wrap_socket(plain, server_hostname=HOST) as tls:
            return ssl.DER_cert_to_PEM_cert(tls.getpeercert(True))


def features(address):
    """What the server offers before TLS."""
    with socket.create_connection((address, 5222), timeout=PATIENCE) as plain:
        head = f"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='{HOST}' version='1.0'>"
        plain.sendall(head.encode())
        said = b""
        while b"</stream:features>" not in said:
            piece = plain.recv(4096)
            assert piece, said
            said += piece
    return said.decode()


async def scenario():
    nodes = await api("list_cluster")
    check("two servers of one domain are a cluster", sorted(nodes) == sorted(ask("names of nodes").split()), nodes)
    await register("ann", "bob")
    said = await asyncio.to_thread(features, A)
    check("nobody logs in without TLS", "starttls" in said and "<required/>" in said and "mechanism" not in said, said)
    texts = [await asyncio.to_thread(certificate, at) for at in (A, B)]
    check("the second has the certificate of the first from the bucket", texts[0] == texts[1] != "", texts)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(texts[0])
        file.flush()
        await people(Path(file.name))


async def people(tls):
    how = await attempt(Client("ann", password="wrong", tls=tls))
    check("a wrong password is refused", how == "refused", how)
    ann = await Client("ann", at=A, tls=tls).login()
    bob = await Client("bob", at=B, tls=tls, port=5223).login()
    ann.send_message(f"bob@{HOST}", "across")
    message = await bob.next_message()
    check("people of both write to each other", message["body"] == "across", message)
    answer = str(await ann.plugin["xep_0030"].get_info(HOST))
    check("nobody makes an account from outside", "jabber:iq:register" not in answer, answer)
    await resumed(ann, tls)
    await asyncio.gather(ann.logout(), bob.logout())


async def resumed(ann, tls):
    """Carl's connection breaks; what is written to him meanwhile arrives when he comes back to his session."""
    await register("carl")
    carl = Client("carl", at=B, tls=tls)
    carl.register_plugin("xep_0198")
    enabled, back = asyncio.Event(), asyncio.Event()
    carl.add_event_handler("sm_enabled", lambda _: enabled.set())
    carl.add_event_handler("session_resumed", lambda _: back.set())
    await carl.login()
    await asyncio.wait_for(enabled.wait(), PATIENCE)
    carl.transport.abort()
    ann.send_message(f"carl@{HOST}", "while the network was away")
    await asyncio.sleep(0)
    carl.connect(carl.at, carl.port)
    await asyncio.wait_for(back.wait(), PATIENCE)
    message = await carl.next_message()
    check("a session whose connection broke goes on", message["body"] == "while the network was away", message)
    await carl.logout()


main(scenario)
