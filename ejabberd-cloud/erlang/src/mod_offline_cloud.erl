%%% SPDX-License-Identifier: MIT
%%%
%%% Messages for people who are away: `mod_offline' with `db_type: cloud'.
%%%
%%% A message is stored before its sender hears nothing, and removed one by one by its name: what arrives in between stays. What
%%% cannot be removed is delivered again, not lost. mod_offline delivers what it was given right after it was removed, and has
%%% no callback for later: a node that is killed between the two loses these messages.
-module(mod_offline_cloud).
-behaviour(mod_offline).

-export([init/2, import/1, store_message/1, pop_messages/2, count_messages/2]).
-export([read_message_headers/2, read_message/3, read_all_messages/2]).
-export([remove_message/3, remove_all_messages/2, remove_expired_messages/1, remove_old_messages/2, remove_user/2]).

-include_lib("kernel/include/logger.hrl").
-include("xmpp.hrl").
-include("mod_offline.hrl").

%% A message is named by when it came and when it expires, both in microseconds. mod_offline wants one integer.
-define(SHIFT, 100000000000000000000).

init(_Host, _Options) -> cloud:start().
import(_Message) -> ok.

store_message(#offline_msg{us = {User, Server}, timestamp = At, expire = Expire, from = From, to = To, packet = Packet}) ->
    Expires = case Expire of
                  {_, _, _} -> max(1, cloud:usec(Expire));
                  _ -> 0
              end,
    cloud:done({offline_put, cloud:bare(User, Server), cloud:usec(At), Expires, jid:encode(From), jid:encode(To),
                cloud:xml(xmpp:encode(Packet))}).

pop_messages(User, Server) ->
    case waiting(User, Server) of
        {ok, []} -> {ok, []};
        {ok, Found} ->
            %% Before they are removed: one that cannot be read must not take the others with it, and stays.
            {Ids, Messages} = lists:unzip([Read || Stored <- Found, Read <- readable(User, Server, Stored)]),
            case Ids == [] orelse cloud:done({offline_del, cloud:bare(User, Server), Ids}) of
                true -> ok;
                ok -> ok;
                {error, Reason} ->
                    ?LOG_WARNING("~b messages for ~ts@~ts are delivered, and will be again, since they cannot be removed: ~p",
                                 [length(Ids), User, Server, Reason])
            end,
            {ok, Messages};
        {error, _} = Error -> Error
    end.

%% All that wait. Those that are too much for one answer come in further ones.
waiting(User, Server) ->
    JID = cloud:bare(User, Server),
    waiting(JID, cloud:call({offline_all, JID}), []).

waiting(_, {ok, {Found, []}}, Before) -> {ok, lists:append(lists:reverse([Found | Before]))};
waiting(JID, {ok, {Found, Next}}, Before) -> waiting(JID, cloud:call({offline_some, JID, Next}), [Found | Before]);
waiting(_, {error, _} = Error, _) -> Error.

readable(User, Server, {At, Expires, _, _, _} = Stored) ->
    try [{{At, Expires}, message(User, Server, Stored)}]
    catch error:Why ->
            ?LOG_ERROR("A message for ~ts@~ts cannot be read, and is left where it is: ~p", [User, Server, Why]),
            []
    end.

count_messages(User, Server) ->
    case cloud:call({offline_count, cloud:bare(User, Server)}) of
        {ok, Count} -> {cache, Count};
        {error, _} -> {nocache, 0}
    end.

read_all_messages(User, Server) ->
    case waiting(User, Server) of
        {ok, Found} -> [message(User, Server, Stored) || Stored <- Found];
        {error, Reason} -> error({cloud, Reason})
    end.

read_message_headers(User, Server) ->
    case waiting(User, Server) of
        {ok, Found} -> [header(message(User, Server, Stored), Stored) || Stored <- Found];
        {error, _} -> error
    end.

header(#offline_msg{from = From, to = To, timestamp = Timestamp, packet = Packet}, {At, Expires, _, _, _}) ->
    {At * ?SHIFT + Expires, From, To, Timestamp, Packet}.

read_message(User, Server, Sequence) ->
    {At, Expires} = id(Sequence),
    case cloud:call({offline_get, cloud:bare(User, Server), At, Expires}) of
        {ok, none} -> error;
        {ok, Stored} -> {ok, message(User, Server, Stored)};
        {error, _} -> error
    end.

remove_message(User, Server, Sequence) -> cloud:done({offline_del, cloud:bare(User, Server), [id(Sequence)]}).

remove_all_messages(User, Server) -> atomic(cloud:call({offline_clear, cloud:bare(User, Server)})).
remove_user(User, Server) -> atomic(cloud:call({offline_clear, cloud:bare(User, Server)})).

remove_expired_messages(Server) ->
    atomic(cloud:call({offline_expire, Server, erlang:system_time(microsecond)})).

remove_old_messages(Days, Server) ->
    Before = erlang:system_time(microsecond) - Days * 86400000000,
    atomic(cloud:call({offline_older, Server, max(0, Before)})).

atomic({ok, _}) -> {atomic, ok};
atomic({error, Reason}) -> {aborted, Reason}.

%% A client may ask for any number.
id(Sequence) ->
    Largest = 1 bsl 63 - 1,
    {min(Largest, Sequence div ?SHIFT), min(Largest, Sequence rem ?SHIFT)}.

message(User, Server, {At, Expires, From, To, Text}) ->
    #offline_msg{us = {User, Server}, timestamp = cloud:timestamp(At),
                 expire = case Expires of 0 -> never; _ -> cloud:timestamp(Expires) end,
                 from = jid:decode(From), to = jid:decode(To), packet = cloud:unxml(Text)}.
