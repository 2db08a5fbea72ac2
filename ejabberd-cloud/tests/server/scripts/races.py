"""Many who write the same thing at once."""

import asyncio

from checks import HOST, Client, api, attempt, check, main, register


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


async def scenario():
    await registrations()
    await contacts()


main(scenario)
