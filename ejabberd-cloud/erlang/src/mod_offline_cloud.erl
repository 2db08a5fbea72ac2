%%% SPDX-License-Identifier: MIT
%%%
%%% Messages for people who are away: `mod_offline' with `db_type: cloud'.
%%%
%%% A message is stored before its sender hears nothing, and is delivered at least once: `pop_messages' leaves it in the store, and
%%% cloud_delivery removes it when it was received, one by one by its name, so that what arrives in between stays. While a session
%%% of this node delivers it, it does not count as waiting, and is not listed.
%%%
%%% Since they stay until they are received, they are delivered in lots: as many at once as fit into the queue of a session, which
%%% would end otherwise, and with the next one again. Where more wait, what was read of them beyond the first lot is read again.
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

%% How many are delivered at once, at most.
-define(LOT, 500).

init(Host, _Options) ->
    ok = cloud:start(),
    cloud_delivery:start(Host).

import(_Message) -> ok.

store_message(#offline_msg{us = Person, packet = Packet} = Message) ->
    case cloud_delivery:is_stored(Person, Packet) of
        true -> ok;
        false -> put_message(Message)
    end.

put_message(#offline_msg{us = {User, Server}, timestamp = At, expire = Expire, from = From, to = To, packet = Packet}) ->
    Expires = case Expire of
                  {_, _, _} -> max(1, cloud:usec(Expire));
                  _ -> 0
              end,
    cloud:done({offline_put, cloud:bare(User, Server), cloud:usec(At), Expires, jid:encode(From), jid:encode(To),
                cloud:xml(xmpp:encode(Packet))}).

pop_messages(User, Server) ->
    JID = cloud:bare(User, Server),
    %% What is stored beside an archive says since when that is to be delivered, and has to be looked at together.
    IsArchived = mod_offline_opt:use_mam_for_storage(Server),
    case cloud_delivery:left() of
        [] when IsArchived -> lot(User, Server, IsArchived, infinity, whole(waiting(User, Server)), []);
        [] -> lot(User, Server, IsArchived, most(Server), cloud:call({offline_all, JID}), []);
        Ids ->
            Most = most(Server),
            {Next, Later} = first(Most, Ids),
            lot(User, Server, IsArchived, Most, cloud:call({offline_some, JID, Next}), Later)
    end.

%% A third of what mod_stream_mgmt keeps until it is acknowledged: with more than that a session ends, and would at each login.
most(Server) ->
    case gen_mod:is_loaded(Server, mod_stream_mgmt) andalso mod_stream_mgmt_opt:max_ack_queue(Server) of
        Most when is_integer(Most) -> max(1, min(?LOT, Most div 3));
        _ -> ?LOT
    end.

whole({ok, Found}) -> {ok, {Found, []}};
whole({error, _} = Error) -> Error.

lot(User, Server, IsArchived, Most, {ok, {Found, Unread}}, Others) ->
    {Lot, Later} = first(Most, unclaimed(User, Server, Found)),
    %% Before any is claimed: one that cannot be read must not take the others with it, and stays.
    Messages = [Read || Stored <- Lot, Read <- readable(User, Server, Stored)],
    %% Not with what was read of them: they may be gone by then.
    Left = [{At, Expires} || {At, Expires, _, _, _} <- Later] ++ Unread ++ Others,
    {ok, cloud_delivery:hand_over({User, Server}, Messages, IsArchived, Left)};
lot(_, _, _, _, {error, _} = Error, _) -> Error.

first(Most, Found) when length(Found) > Most -> lists:split(Most, Found);
first(_, Found) -> {Found, []}.

%% Those that no session of this node is delivering. That is asked after they were read: one that was received meanwhile stays
%% claimed for long enough.
unclaimed(User, Server, Found) ->
    Held = sets:from_list(cloud_claims:held({User, Server}), [{version, 2}]),
    [Stored || {At, Expires, _, _, _} = Stored <- Found, not sets:is_element({At, Expires}, Held)].

%% All that wait. Those that are too much for one answer come in further ones.
waiting(User, Server) ->
    JID = cloud:bare(User, Server),
    waiting(JID, cloud:call({offline_all, JID}), []).

waiting(_, {ok, {Found, []}}, Before) -> {ok, lists:append(lists:reverse([Found | Before]))};
waiting(JID, {ok, {Found, Next}}, Before) -> waiting(JID, cloud:call({offline_some, JID, Next}), [Found | Before]);
waiting(_, {error, _} = Error, _) -> Error.

readable(User, Server, {At, Expires, _, _, _} = Stored) ->
    try
        #offline_msg{packet = Element} = Message = message(User, Server, Stored),
        #message{} = Packet = xmpp:decode(Element, ?NS_CLIENT, ejabberd_config:codec_options()),
        [{{At, Expires}, Message#offline_msg{packet = Packet}}]
    catch error:Why ->
            ?LOG_ERROR("A message for ~ts@~ts cannot be read, and is left where it is: ~p", [User, Server, Why]),
            []
    end.

count_messages(User, Server) ->
    case cloud:call({offline_count, cloud:bare(User, Server)}) of
        {ok, Count} ->
            case cloud_claims:under_way({User, Server}) of
                0 -> {cache, Count};
                %% They may wait again, and mod_offline would not hear of it.
                Some -> {nocache, max(0, Count - Some)}
            end;
        {error, _} -> {nocache, 0}
    end.

read_all_messages(User, Server) ->
    case waiting(User, Server) of
        {ok, Found} -> [message(User, Server, Stored) || Stored <- unclaimed(User, Server, Found)];
        {error, Reason} -> error({cloud, Reason})
    end.

read_message_headers(User, Server) ->
    case waiting(User, Server) of
        {ok, Found} ->
            %% From what is stored beside an archive mod_offline counts, and finds out whether the next message has to be stored.
            Listed = case mod_offline_opt:use_mam_for_storage(Server) of
                         true -> Found;
                         false -> unclaimed(User, Server, Found)
                     end,
            [header(message(User, Server, Stored), Stored) || Stored <- Listed];
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
