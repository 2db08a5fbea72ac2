"""ejabberd with `auth_method: external` and the other front of the program."""

from checks import HOST, Client, api, ask, attempt, check, main


async def scenario():
    answer = await api("register", user="ann", host=HOST, password="se:cr:et")
    check("a person is registered", "successfully" in str(answer), answer)
    answer = await api("register", user="ann", host=HOST, password="other")
    check("a name that is taken is refused", "successfully" not in str(answer), answer)
    check("the right password is taken", await attempt(Client("ann", password="se:cr:et")) == "in")
    check("a wrong one is refused", await attempt(Client("ann", password="se")) == "refused")
    await api("change_password", user="ann", host=HOST, newpass="new")
    check("a changed password counts", await attempt(Client("ann", password="new")) == "in")
    check("and the old one no more", await attempt(Client("ann", password="se:cr:et")) == "refused")
    names = ask("names")
    check("no password is stored", "xmpp-users" in names and "se:cr:et" not in names and "=new" not in names, names)
    await api("unregister", user="ann", host=HOST)
    check("a person who was removed is refused", await attempt(Client("ann", password="new")) == "refused")


main(scenario)
