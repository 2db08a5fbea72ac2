"""The store is away for a while, or the program between is killed."""

import asyncio
import os
import signal

from checks import HOST, Client, api, ask, attempt, check, main, names_with, register, until
from slixmpp.exceptions import IqError, IqTimeout


async def outage(ann):
    check("a wrong password is refused", await attempt(Client("bob", password="wrong")) == "refused")
    ask("outage")
    how = await attempt(Client("bob"))
    check("a login during an outage is not refused for its password", how.startswith("lost"), how)
    how = await attempt(Client("bob", mechanism="PLAIN"))
    check("nor is one by PLAIN", how.startswith("lost"), how)
    ann.send_message(f"bob@{HOST}", "are you there?")
    answer = await ann.next_message()
    check("who writes to somebody away is told that it did not arrive", answer["type"] == "error", answer)
    try:
        await ann.update_roster("x@example.org", name="X", timeout=30)
        check("a change that was not made is told", False)
    except (IqError, IqTimeout) as error:
        check("a change that was not made is told", isinstance(error, IqError), error)
    try:
        contacts = await ann.fetch_contacts()
        check("an outage is no empty roster", False, contacts)
    except IqError as error:
        check("an outage is no empty roster", error.condition == "internal-server-error", error.condition)
    answer = await api("register", user="carl", host=HOST, password="secret")
    check("a registration during an outage is no success", "successfully" not in str(answer), answer)
    answer = await api("unregister", user="bob", host=HOST)
    check("nor is the removal of an account, which stays", "refused" in str(answer), answer)
    check("who was there is there still", ann.is_connected())
    ask("mend")
    check("afterwards people log in as before", await attempt(Client("bob")) == "in")
    await ann.update_roster("y@example.org", name="Y")
    contacts = await ann.fetch_contacts()
    check("and change things", "y@example.org" in contacts, contacts)


async def last_words():
    """What somebody said when he left comes from the store, since no cache of ejabberd has it here."""
    bob = await Client("bob").login()
    bob.send_presence(ptype="unavailable", pstatus="gone for a <walk> é")
    await bob.logout()

    async def left():
        last = await api("get_last", user="bob", host=HOST)
        return last if last["status"] not in ("NOT FOUND", "ONLINE") else None

    last = await until(left, "bob's absence")
    check("what somebody said when he left is stored", last["status"] == "gone for a <walk> é", last)
    check("and when that was", last["timestamp"] > "2000", last)


async def message_not_kept(ann):
    """The store takes no message, and all else works: its sender is told, and nothing is there that was not kept."""
    ask("refuse PutObject\t/offline/")
    ann.send_message(f"bob@{HOST}", "not kept")
    answer = await ann.next_message()
    check("whose message is not kept is told so", answer["type"] == "error" and answer["body"] == "not kept", answer)
    count = await api("get_offline_count", user="bob", host=HOST)
    check("and nothing is said to wait", count == {"value": 0}, count)
    ask("mend")
    check("as nothing does", names_with("/offline/") == [], names_with("/offline/"))
    ann.send_message(f"bob@{HOST}", "kept")
    await until(lambda: names_with("/offline/"), "a message")
    bob = await Client("bob").login()
    message = await bob.next_message()
    check("the next message is kept, and comes", message["body"] == "kept", message)
    await until(lambda: names_with("/offline/") == [], "its removal")
    await bob.logout()


async def message_not_read(ann):
    """Messages that cannot be read now are neither given up nor removed."""
    ann.send_message(f"bob@{HOST}", "later")
    await until(lambda: names_with("/offline/"), "a message")
    for operation, about in (("GetObject", "offline"), ("ListObjectsV2", "offline"), ("DeleteObjects", "delete")):
        ask(f"refuse {operation}\t{about}")
        bob = await Client("bob").login()
        if operation == "DeleteObjects":
            message = await bob.next_message()
            check("a message that cannot be removed is delivered", message["body"] == "later", message)
        await bob.logout()
        # What was received is removed later than it comes.
        await asyncio.to_thread(ask, "quiet")
        ask("mend")
        check(f"and stays, without {operation}", len(names_with("/offline/")) == 1, names_with("/offline/"))
    bob = await Client("bob").login()
    message = await bob.next_message()
    check("it comes in the end", message["body"] == "later", message)
    await until(lambda: names_with("/offline/") == [], "its removal")
    await bob.logout()


async def program():
    """The process of the program, which may be between two lives."""
    return int(await until(lambda: ask("program"), "a program"))


async def killed(ann):
    before = await program()
    os.kill(before, signal.SIGKILL)

    async def works():
        try:
            return "z@example.org" in await ann.fetch_contacts() or await ann.update_roster("z@example.org", name="Z")
        except IqError:
            return None

    await until(works, "a program that answers")
    after = await program()
    check("a program that was killed is started again", after != before, after)
    check("and people log in", await attempt(Client("bob")) == "in")
    for _ in range(3):
        os.kill(await program(), signal.SIGKILL)
        await until(works, "a program that answers")
    check("however often", await attempt(Client("bob")) == "in")
    check("and who was there is there still", ann.is_connected())


async def stuck(ann):
    """A program that is stopped is one that answers nothing, and cannot be asked to end."""
    before = await program()
    os.kill(before, signal.SIGSTOP)
    try:
        await ann.fetch_contacts()
        check("a call to a program that is stuck ends", False)
    except IqError as error:
        check("a call to a program that is stuck ends", error.condition == "internal-server-error", error.condition)

    async def another():
        return await program() != before

    await until(another, "another program")

    async def works():
        try:
            return await ann.fetch_contacts()
        except IqError:
            return None

    contacts = await until(works, "a program that answers")
    check("and another one takes its place", "y@example.org" in contacts, contacts)


async def scenario():
    await register("ann", "bob")
    ann = await Client("ann").login()
    await ann.update_roster("before@example.org", name="Before")
    await last_words()
    await outage(ann)
    if ask("can fail") == "yes":
        await message_not_kept(ann)
        await message_not_read(ann)
    await killed(ann)
    await stuck(ann)
    await ann.logout()


main(scenario)
