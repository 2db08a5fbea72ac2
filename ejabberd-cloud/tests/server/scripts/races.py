"""Many who write the same thing at once."""

import asyncio

from checks import HOST, Client, api, attempt, check, main, register, until


async def registrations():
    for round_ in range(5):
        user = f"racer{round_}"
        passwords = [f"password{n}" for n in range(10)]
        asked = [api("register", user=user, host=HOST, password=password) for password in passwords]
        answers = await asyncio.gather(*asked)
        winners = [password for password, answer in zip(passwords, answers) if "successfully" in str(answer)]
        check(f"of ten who register {user} at once one wins", len(winners) == 1, answers)
        check("whose password is the one that counts", await attempt(Client(user, password=winners[0])) == "in")


async def contacts():
    await register("ann")
    one, other = await Client("ann", "one").login(), await Client("ann", "other").login()
    writes = [
        (one if n % 2 else other).update_roster("x@example.org", name=f"n{n}", groups=[f"g{n}"]) for n in range(20)
    ]
    refused = [answer for answer in await asyncio.gather(*writes, return_exceptions=True) if isinstance(answer, Exception)]
    check("twenty writers of one contact are all heard", refused == [], refused)
    writes = [(one if n % 2 else other).update_roster(f"c{n}@example.org", name=f"n{n}") for n in range(40)]
    refused = [answer for answer in await asyncio.gather(*writes, return_exceptions=True) if isinstance(answer, Exception)]
    check("forty contacts at once are all taken", refused == [], refused)
    contacts = (await Client("ann", "third").login()).contacts
    x = contacts.get("x@example.org")
    check("the contact is one of the twenty, whole", x and x["groups"] == ["g" + x["name"][1:]], x)
    check("all forty are there", len(contacts) == 41, len(contacts))


async def two_changes():
    """A name is given while a subscription is asked for: either is read, changed and written, and neither is lost."""
    friends = [f"friend{n}" for n in range(16)]
    await register("eve", *friends)
    one, other = await Client("eve", "one").login(), await Client("eve", "other").login()
    await asyncio.gather(*[one.update_roster(f"{friend}@{HOST}", name="old") for friend in friends])
    changes = []
    for friend in friends:
        changes.append(one.update_roster(f"{friend}@{HOST}", name="new"))
        other.send_presence_subscription(f"{friend}@{HOST}")
    await asyncio.gather(*changes)

    async def asked():
        return all(item["ask"] == "subscribe" for item in (await other.fetch_contacts()).values())

    await until(asked, "the request for each subscription")
    contacts = await other.fetch_contacts()
    names = {item["name"] for item in contacts.values()}
    check("of two changes of a contact at once none is lost", names == {"new"} and len(contacts) == len(friends), contacts)


async def scenario():
    await registrations()
    await contacts()
    await two_changes()


main(scenario)
