%%% SPDX-License-Identifier: MIT
%%%
%%% Contacts: `mod_roster' with `db_type: cloud'.
%%%
%%% A transaction reads, decides and writes. Here, what it reads is remembered with the version that it had, and what it
%%% writes waits until the function is done; then all writes go out, each on the condition that the contact is the one that
%%% was read. If somebody else was faster, the function runs again, on what there is then. It must have no effect outside,
%%% which is so in mod_roster.
-module(mod_roster_cloud).
-behaviour(mod_roster).

-export([init/2, import/3, get_roster/2, get_roster_item/3, read_subscription_and_groups/3, remove_user/2]).
-export([read_roster_version/2, write_roster_version/4]).
-export([transaction/2, roster_subscribe/4, update_roster/4, del_roster/3]).

-include("mod_roster.hrl").

%% How many bytes are kept of what comes with a request for a subscription.
-define(MESSAGE, 1024).

%% The transaction that this process is in: #{read := past the cache or not, seen := #{Key => {Expected, Item | none}},
%% writes := [{Key, Expected, Write}], versions := [{{User, Server}, Version}]}, the newest first.
-define(TRANSACTION, '$cloud_roster').
%% How often a function runs at most.
-define(ROUNDS, 10).

init(_Host, _Options) -> cloud:start().
import(_Server, _Table, _Row) -> ok.

%% An outage raises: an empty answer would be taken for an empty roster, and kept by caches, and by a client that is sent it
%% with the version of the true one.
get_roster(User, Server) ->
    Entries = cloud:ask({roster_all, cloud:bare(User, Server)}, [{mod_roster, process_iq_get, 1}]),
    {ok, [item(User, Server, Entry) || Entry <- Entries]}.

get_roster_item(User, Server, Contact) ->
    Key = {User, Server, Contact},
    Item =
        case get(?TRANSACTION) of
            #{seen := #{Key := {_, Seen}}} ->
                Seen;
            #{read := How, seen := Seen} = Transaction ->
                {Expected, Read} = read(Key, How),
                put(?TRANSACTION, Transaction#{seen := Seen#{Key => {Expected, Read}}}),
                Read;
            undefined ->
                element(2, read(Key, cached))
        end,
    case Item of
        none -> error;
        #roster{} -> {ok, Item}
    end.

read_subscription_and_groups(User, Server, Contact) ->
    case read({User, Server, Contact}, cached) of
        {_, none} -> error;
        {_, #roster{subscription = Subscription, ask = Ask, groups = Groups}} -> {ok, {Subscription, Ask, Groups}}
    end.

read({User, Server, Contact}, How) ->
    case cloud:ask({roster_get, cloud:bare(User, Server), jid:encode(Contact), How}) of
        none -> {absent, none};
        {Version, Entry} -> {{is, Version}, item(User, Server, Entry)}
    end.

remove_user(User, Server) -> cloud:done({roster_del, cloud:bare(User, Server)}).

%% Read before the contacts: what changes in between is then sent again, and not missed.
read_roster_version(User, Server) ->
    case cloud:ask({roster_version, cloud:bare(User, Server)}) of
        none -> error;
        Version -> {ok, Version}
    end.

write_roster_version(User, Server, true, Version) ->
    #{versions := Versions} = Transaction = get(?TRANSACTION),
    put(?TRANSACTION, Transaction#{versions := [{{User, Server}, Version} | Versions]}),
    ok;
write_roster_version(User, Server, false, Version) ->
    cloud:done({roster_set_version, cloud:bare(User, Server), Version}).

roster_subscribe(User, Server, Contact, Item) -> update_roster(User, Server, Contact, Item).

update_roster(User, Server, Contact, Item) -> write({User, Server, Contact}, {put, entry(Contact, Item)}, Item).

del_roster(User, Server, Contact) -> write({User, Server, Contact}, {remove, jid:encode(Contact)}, none).

write(Key, Write, Item) ->
    #{seen := Seen, writes := Writes} = Transaction = get(?TRANSACTION),
    {Expected, _} = maps:get(Key, Seen, {any, none}),
    %% A contact that is written twice is written as it is at the end.
    Others = lists:keydelete(Key, 1, Writes),
    put(?TRANSACTION, Transaction#{seen := Seen#{Key => {Expected, Item}}, writes := [{Key, Expected, Write} | Others]}),
    ok.

transaction(_Server, Function) -> transaction(Function, cached, ?ROUNDS).

transaction(_, _, 0) -> {aborted, conflict};
transaction(Function, How, Rounds) ->
    put(?TRANSACTION, #{read => How, seen => #{}, writes => [], versions => []}),
    Done =
        try {Function(), get(?TRANSACTION)} of
            {Result, #{writes := Writes, versions := Versions}} ->
                case commit(lists:reverse(Writes), Versions) of
                    ok -> {atomic, Result};
                    {error, Reason} -> {aborted, Reason}
                end
        catch error:{cloud, Reason} -> {aborted, Reason}
        after erase(?TRANSACTION)
        end,
    case Done of
        %% What was read came from a cache, or somebody was faster.
        {aborted, conflict} -> transaction(Function, newest, Rounds - 1);
        _ -> Done
    end.

%% One call for each person, of whom there is one, as mod_roster has it.
commit(Writes, Versions) ->
    People = lists:usort([{User, Server} || {{User, Server, _}, _, _} <- Writes] ++ [Person || {Person, _} <- Versions]),
    commit(People, Writes, Versions).

commit([], _, _) -> ok;
commit([{User, Server} = Person | People], Writes, Versions) ->
    Changes = [{Expected, Write} || {{U, S, _}, Expected, Write} <- Writes, {U, S} == Person],
    case cloud:done({roster_commit, cloud:bare(User, Server), Changes, proplists:get_value(Person, Versions, none)}) of
        ok -> commit(People, Writes, Versions);
        {error, _} = Error -> Error
    end.

entry(Contact, #roster{name = Name, subscription = Subscription, ask = Ask, askmessage = Message, groups = Groups}) ->
    {jid:encode(Contact), Name, atom_to_binary(Subscription), atom_to_binary(Ask), cut(iolist_to_binary(Message)), Groups}.

%% Anybody may ask for a subscription, and all contacts are one answer: what he says with it is cut.
cut(<<Head:?MESSAGE/binary, _, _/binary>>) ->
    case unicode:characters_to_binary(Head) of
        {incomplete, Whole, _} -> Whole;
        Whole -> Whole
    end;
cut(Message) -> Message.

item(User, Server, {Contact, Name, Subscription, Ask, Message, Groups}) ->
    JID = jid:tolower(jid:decode(Contact)),
    #roster{usj = {User, Server, JID}, us = {User, Server}, jid = JID, name = Name,
            subscription = binary_to_existing_atom(Subscription), ask = binary_to_existing_atom(Ask),
            askmessage = Message, groups = Groups}.
