%%% SPDX-License-Identifier: MIT
%%%
%%% Groups whose members see each other in their rosters: `mod_shared_roster' with `db_type: cloud'.
-module(mod_shared_roster_cloud).
-behaviour(mod_shared_roster).

-export([init/2, import/3, list_groups/1, groups_with_opts/1, create_group/3, delete_group/2, get_group_opts/2]).
-export([set_group_opts/3, get_user_groups/2, get_group_explicit_users/2, get_user_displayed_groups/3]).
-export([is_user_in_group/3, add_user_to_group/3, remove_user_from_group/3]).

init(_Host, _Options) -> cloud:start().
import(_Server, _Table, _Row) -> ok.

list_groups(Host) -> [Group || {Group, _} <- groups_with_opts(Host)].
groups_with_opts(Host) -> [{Group, binary_to_term(Options)} || {Group, Options} <- ask({shared_groups, Host})].
create_group(Host, Group, Options) -> set_group_opts(Host, Group, Options).
set_group_opts(Host, Group, Options) -> atomic({shared_set, Host, Group, term_to_binary(Options)}).
delete_group(Host, Group) -> atomic({shared_remove, Host, Group}).

%% mod_shared_roster takes `{ok, Options}', whatever its specification says. An outage raises, and is not kept by its cache.
get_group_opts(Host, Group) ->
    case ask({shared_get, Host, Group}) of
        none -> error;
        Options -> {ok, binary_to_term(Options)}
    end.

get_user_groups({User, Server}, Host) -> ask({shared_groups_of, Host, cloud:bare(User, Server)}).

get_group_explicit_users(Host, Group) ->
    [{User, Server} || JID <- ask({shared_members, Host, Group}), {User, Server, _} <- [jid:tolower(jid:decode(JID))]].

get_user_displayed_groups(User, Server, Options) ->
    [{Group, proplists:get_value(Group, Options, [])} || Group <- get_user_groups({User, Server}, Server)].

is_user_in_group({User, Server}, Group, Host) -> ask({shared_is_member, Host, Group, cloud:bare(User, Server)}).
add_user_to_group(Host, {User, Server}, Group) -> atomic({shared_add, Host, Group, cloud:bare(User, Server)}).
remove_user_from_group(Host, {User, Server}, Group) -> atomic({shared_take_out, Host, Group, cloud:bare(User, Server)}).

%% An outage raises: a client would be sent its contacts without those of the groups.
ask(Request) -> cloud:ask(Request, [{mod_roster, process_iq_get, 1}]).

atomic(Request) ->
    case cloud:done(Request) of
        ok -> {atomic, ok};
        {error, Reason} -> {aborted, Reason}
    end.
