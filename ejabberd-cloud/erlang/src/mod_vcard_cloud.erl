%%% SPDX-License-Identifier: MIT
%%%
%%% vCards and the search for people: `mod_vcard' with `db_type: cloud'.
-module(mod_vcard_cloud).
-behaviour(mod_vcard).

-export([init/2, stop/1, import/3, get_vcard/2, set_vcard/4, remove_user/2]).
-export([search/4, search_fields/1, search_reported/1, is_search_supported/1]).

-include("xmpp.hrl").
-include("mod_vcard.hrl").

init(_Host, _Options) -> cloud:start().
stop(_Host) -> ok.
import(_Server, _Table, _Row) -> ok.

%% An outage raises: mod_vcard has no error here that its cache would not keep.
get_vcard(User, Server) ->
    case cloud:ask({vcard_get, cloud:bare(User, Server)}) of
        none -> {ok, []};
        Text -> {ok, [cloud:unxml(Text)]}
    end.

set_vcard(User, Server, Element, Search) ->
    Fields = [{Name, element(Place, Search)} || {Name, _, Place} <- fields(), Name /= <<"user">>],
    Given = [{<<"user">>, User} | [{Name, Value} || {Name, Value} <- Fields, is_binary(Value), Value /= <<>>]],
    Request = {vcard_set, cloud:bare(User, Server), cloud:xml(Element), Given},
    cloud:ask(Request, [{mod_vcard, vcard_iq_set, 1}]),
    {atomic, ok}.

remove_user(User, Server) ->
    cloud:ask({vcard_del, cloud:bare(User, Server)}),
    {atomic, ok}.

is_search_supported(_Server) -> true.

search(Server, Data, AllowReturnAll, Max) ->
    Known = [Name || {Name, _, _} <- fields()],
    Asked = [{Name, Value} || {Name, [Value]} <- Data, Value /= <<>>, lists:member(Name, Known)],
    case Asked == [] andalso not AllowReturnAll of
        true -> [];
        false ->
            Limit = case Max of infinity -> none; _ -> Max end,
            [[{<<"jid">>, JID} | lists:keydelete(<<"user">>, 1, Fields)]
             || {JID, Fields} <- cloud:ask({vcard_search, Server, Asked, Limit})]
    end.

search_fields(_Server) -> [{Label, Name} || {Name, Label, _} <- fields()].

search_reported(_Server) ->
    [{<<"Jabber ID">>, <<"jid">>} | [{Label, Name} || {Name, Label, _} <- fields(), Name /= <<"user">>]].

%% The names of XEP-0055 and of ejabberd's other backends, what people read, and where mod_vcard puts the value.
fields() ->
    [{<<"user">>, <<"User">>, #vcard_search.user},
     {<<"fn">>, <<"Full Name">>, #vcard_search.fn},
     {<<"first">>, <<"Name">>, #vcard_search.given},
     {<<"middle">>, <<"Middle Name">>, #vcard_search.middle},
     {<<"last">>, <<"Family Name">>, #vcard_search.family},
     {<<"nick">>, <<"Nickname">>, #vcard_search.nickname},
     {<<"bday">>, <<"Birthday">>, #vcard_search.bday},
     {<<"ctry">>, <<"Country">>, #vcard_search.ctry},
     {<<"locality">>, <<"City">>, #vcard_search.locality},
     {<<"email">>, <<"Email">>, #vcard_search.email},
     {<<"orgname">>, <<"Organization Name">>, #vcard_search.orgname},
     {<<"orgunit">>, <<"Organization Unit">>, #vcard_search.orgunit}].
