"""The store is away for a while, or the program between is killed."""

import asyncio
import os
import signal

from checks import HOST, Client, api, ask, attempt, check, main, names_with, register, until
from slixmpp.exceptions import IqError, IqTimeout


PRIVATE = '<query xmlns="jabber:iq:private"><x xmlns="a:b">{}</x></query>'
SEARCH = ('<query xmlns="jabber:iq:search"><x xmlns="jabber:x:data" type="submit"><field var="FORM_TYPE"><value>jabber:iq:search</value>'
          '</field><field var="fn"><value>ann*</value></field></x></query>')
LISTS = '<query xmlns="jabber:iq:privacy">{}</query>'


async def possessions(ann):
    """Ann has one of each kind of thing that can be asked for."""
    card = ann.plugin["xep_0054"].make_vcard()
    card["FN"] = "Ann"
    await ann.plugin["xep_0054"].publish_vcard(card)
    await ann.query(PRIVATE.format("private"), "set")
    await ann.plugin["xep_0191"].block(["x@example.org"])


def questions(ann):
    """What asks for one of these things, and for a list of people, each with what is in its answer."""
    return {
        "a vCard": (ann.plugin["xep_0054"].get_vcard(f"ann@{HOST}"), "<FN>Ann</FN>"),
        "a new vCard": (ann.query('<vCard xmlns="vcard-temp"><FN>Ann</FN></vCard>', "set"), "result"),
        "a search for people": (ann.query(SEARCH, "set", f"vjud.{HOST}"), f"ann@{HOST}"),
        "private data": (ann.query(PRIVATE.format("")), "private"),
        "all private data": (asyncio.to_thread(ask, "probe private/ann"), "private"),
        "new private data": (ann.query(PRIVATE.format("private"), "set"), "result"),
        "the names of privacy lists": (ann.query(LISTS.format("")), "Blocked contacts"),
        "a privacy list": (ann.query(LISTS.format('<list name="Blocked contacts"/>')), "x@example.org"),
        "who is blocked": (ann.plugin["xep_0191"].get_blocked(), "x@example.org"),
        "somebody else to block": (ann.plugin["xep_0191"].block(["x@example.org"]), "result"),
        "the number of people": (api("stats", name="registeredusers"), "2"),
        "all people": (api("registered_users", host=HOST), "bob"),
    }


async def answers(ann):
    """What becomes of these questions, which are asked at the same time: the condition of an error, or the answer."""
    asked = questions(ann)
    found = await asyncio.gather(*[work for work, _ in asked.values()], return_exceptions=True)
    said = [answer.condition if isinstance(answer, IqError) else str(answer) for answer in found]
    return {what: (text, part) for (what, (_, part)), text in zip(asked.items(), said)}


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
    for what, (said, part) in (await answers(ann)).items():
        is_error = said == "internal-server-error" or said.startswith(("{error,", "{'refused'"))
        check(f"during an outage {what}: an error", is_error and part not in said, said)
    answer = await api("register", user="carl", host=HOST, password="secret")
    check("a registration during an outage is no success", "successfully" not in str(answer), answer)
    answer = await api("unregister", user="bob", host=HOST)
    check("nor is the removal of an account, which stays", "refused" in str(answer), answer)
    check("who was there is there still", ann.is_connected())
    ask("mend")
    check("afterwards people log in as before", await attempt(Client("bob")) == "in")
    for what, (said, part) in (await answers(ann)).items():
        check(f"afterwards {what}: as before", part in said, said)
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


async def groups_not_read(ann):
    """Contacts without those of shared groups are not all contacts."""
    await api("srg_create", group="team", host=HOST, label="Team", description="", display="team")
    for user in ("ann", "bob"):
        await api("srg_user_add", user=user, host=HOST, group="team", grouphost=HOST)
    check("members of a group see each other", f"bob@{HOST}" in await ann.fetch_contacts())
    ask("refuse GetAttributes\t-shared")
    try:
        contacts = await ann.fetch_contacts()
        check("a group that cannot be read is no group without members", False, contacts)
    except IqError as error:
        check("a group that cannot be read is no group without members", error.condition == "internal-server-error", error.condition)
    ask("mend")
    await api("srg_delete", group="team", host=HOST)


async def last_not_read():
    """Who cannot be told when somebody was there last takes nobody for long gone."""
    ask("refuse GetAttributes\t-last")
    answer = await api("get_last", user="bob", host=HOST)
    check("when somebody was there last is an error where it cannot be read", "refused" in str(answer), answer)
    answer = await api("delete_old_users", days=365)
    ask("mend")
    people = await api("registered_users", host=HOST)
    check("and is no reason to remove him", sorted(people) == ["ann", "bob"], (answer, people))


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
        else:
            await asyncio.to_thread(ask, "refused")
            await asyncio.to_thread(ask, "quiet")
        await bob.logout()
        # What was received is removed later than it comes.
        await asyncio.to_thread(ask, "refused")
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
    await possessions(ann)
    await last_words()
    await last_not_read()
    await groups_not_read(ann)
    await outage(ann)
    if ask("can fail") == "yes":
        await message_not_kept(ann)
        await message_not_read(ann)
    await killed(ann)
    await stuck(ann)
    await ann.logout()


main(scenario)
