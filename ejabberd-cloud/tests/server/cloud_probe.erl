%%% SPDX-License-Identifier: MIT
%%%
%%% What the tests need within the node: it ends when its standard input does, so that a test that was killed leaves no
%%% node behind, and it tells what is in Mnesia.
-module(cloud_probe).
-export([start/0, process/2]).

start() -> spawn(fun watch/0).

watch() ->
    case io:get_line("") of
        eof -> halt(0);
        {error, _} -> halt(0);
        _ -> watch()
    end.

%% A page of ejabberd's web server: a line for each table of Mnesia, its name, its kind and its size.
process(_Path, _Request) ->
    Kind = fun(Table) -> mnesia:table_info(Table, storage_type) end,
    Lines = [io_lib:format("~p ~p ~p~n", [Table, Kind(Table), mnesia:table_info(Table, size)])
             || Table <- mnesia:system_info(tables)],
    {200, [{<<"Content-Type">>, <<"text/plain">>}], iolist_to_binary(Lines)}.
