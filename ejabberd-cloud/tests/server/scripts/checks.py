"""What the scripts of checks have in common: a client of XMPP, ejabberd's administration, and the talk with the test."""

import asyncio
import json
import logging
import sys
import urllib.error
import urllib.request

import slixmpp
from slixmpp.xmlstream import ET
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

ADDRESS = sys.argv[1]
HOST = "localhost"
# How long anything may take, on a machine that does much else.
PATIENCE = 60
_held = 0

logging.getLogger("slixmpp").setLevel(logging.CRITICAL)


def check(what, holds, seen=""):
    """Says that something holds, or ends the script."""
    global _held
    if not holds:
        raise AssertionError(f"{what}: {seen}")
    _held += 1
    print(f"ok: {what}")


def ask(what):
    """Has the test do something that only it can do, and gives its answer."""
    print(f"do: {what}")
    answer = sys.stdin.readline()
    if not answer:
        sys.exit("the test has ended")
    return answer.rstrip("\n")


def main(scenario, times=3):
    """Runs the script, which may take so many times as long as anything in it. Its last line is how many checks have held."""

    async def all_of_it():
        await asyncio.wait_for(scenario(), times * PATIENCE)

    asyncio.run(all_of_it())
    print(f"end: {_held}")


def _api(address, command, arguments):
    request = urllib.request.Request(
        f"http://{address}:5280/api/{command}", json.dumps(arguments).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return {"refused": json.loads(error.read())}


async def api(command, at=ADDRESS, **arguments):
    """A command of ejabberd's administration."""
    return await asyncio.to_thread(_api, at, command, arguments)


async def register(*users):
    for user in users:
        answer = await api("register", user=user, host=HOST, password="secret")
        assert "successfully" in str(answer), answer


async def until(holds, what):
    """Waits until something holds that no event tells of."""
    for _ in range(PATIENCE * 10):
        found = holds()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"{what} did not come to be")


def names_with(part):
    """The names of things in the stores that have this in them."""
    return [name for name in ask("names").split("\t") if part in name]


async def left_of(person, contact):
    """What is left of a person who was removed, but for the entry in the roster of a contact, which stays."""
    entry = f" {contact}@{HOST}|"
    return await emptied(lambda: [n for n in names_with(person) if not ("-roster" in n and entry in n)])


async def emptied(what):
    """What is left of something that is to go, once it is gone or has had the time for it."""
    for _ in range(PATIENCE * 10):
        if not what():
            break
        await asyncio.sleep(0.1)
    return what()


class Refused(Exception):
    """The server has refused the password."""


class Client(slixmpp.ClientXMPP):
    """One session of a person. Messages and events that it receives wait in queues."""

    def __init__(self, user, resource="r", password="secret", mechanism=None, presence=True, at=ADDRESS,
                 tls=None, port=5222):
        config = {"unencrypted_scram": True, "unencrypted_plain": True}
        if mechanism:
            config["use_mech"] = mechanism
        super().__init__(f"{user}@{HOST}/{resource}", password, plugin_config={"feature_mechanisms": config})
        # A file with the certificate that the server has to have, if it is to be TLS.
        self.ca_certs = tls
        self.enable_direct_tls = tls is not None and port != 5222
        self.enable_starttls = tls is not None and port == 5222
        self.enable_plaintext = tls is None
        self.auto_authorize = True
        self.auto_subscribe = True
        for extension in (4, 30, 45, 49, 54, 55, 60, 115, 163, 191):
            self.register_plugin(f"xep_{extension:04}")
        self.wants_presence = presence
        self.at, self.port = at, port
        self.messages = asyncio.Queue()
        self.events = asyncio.Queue()
        self.contacts = {}
        self.in_or_not = asyncio.get_running_loop().create_future()
        self.add_event_handler("session_start", self._started)
        self.add_event_handler("failed_all_auth", lambda _: self._fail(Refused()))
        self.add_event_handler("disconnected", lambda why: self._fail(ConnectionError(str(why))))
        self.add_event_handler("message", self.messages.put_nowait)
        event = "{jabber:client}message/{http://jabber.org/protocol/pubsub#event}event"
        self.register_handler(Callback("event", MatchXPath(event), self.events.put_nowait))

    def _fail(self, why):
        if not self.in_or_not.done():
            self.in_or_not.set_exception(why)

    async def _started(self, _event):
        try:
            if self.wants_presence:
                self.send_presence()
            await self.fetch_contacts()
            if not self.in_or_not.done():
                self.in_or_not.set_result(self)
        except Exception as error:
            self._fail(error)

    async def fetch_contacts(self):
        """The roster as the server has it, by JID: with a version that it never had, since it does not send what is unchanged."""
        iq = self.make_iq_get()
        iq.enable("roster")
        iq["roster"]["ver"] = ""
        answer = await iq.send(timeout=PATIENCE)
        self.contacts = {str(jid): item for jid, item in answer["roster"]["items"].items()}
        return self.contacts

    async def login(self):
        self.connect(self.at, self.port)
        return await asyncio.wait_for(self.in_or_not, PATIENCE)

    async def logout(self):
        await self.disconnect()

    async def next_message(self):
        return await asyncio.wait_for(self.messages.get(), PATIENCE)

    async def next_event(self):
        return await asyncio.wait_for(self.events.get(), PATIENCE)

    async def next_event_with(self, text):
        """The next event that says this; those before it are left out."""
        while True:
            event = await self.next_event()
            if text in str(event):
                return event

    async def query(self, xml, kind="get", to=None):
        """The answer to an IQ with this content."""
        iq = self.make_iq_get(ito=to) if kind == "get" else self.make_iq_set(ito=to)
        iq.append(ET.fromstring(xml))
        return await iq.send(timeout=PATIENCE)

    async def want(self, *names):
        """Has the server send events of these nodes of contacts."""
        for name in names:
            added = self.plugin["xep_0030"].add_feature(f"{name}+notify")
            if asyncio.iscoroutine(added) or asyncio.isfuture(added):
                await added
        await self.plugin["xep_0115"].update_caps()
        self.send_presence()


async def attempt(client):
    """How a login ends: `in`, `refused`, or `lost` where the connection ended without an answer."""
    try:
        await client.login()
        await client.logout()
        return "in"
    except Refused:
        client.abort()
        return "refused"
    except (ConnectionError, asyncio.TimeoutError) as error:
        client.abort()
        return f"lost: {error!r}"
